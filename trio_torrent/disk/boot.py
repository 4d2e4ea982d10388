"""Which run of the machine this is.

What a program has written outlives the program, and the disk has it at the latest when the system goes down in good
order. Only without that is it lost: so as long as the machine runs, what was written is there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The same until the machine starts again. Empty where systems do not tell: macOS, Windows."""
    with suppress(OSError):
        return _LINUX.read_text("utf-8").strip()
    return ""


def run_of(boot: str, root: Path) -> str:
    """The run of the machine, and the disk: one that was pulled out and is put back mostly has another number."""
    with suppress(OSError):
        return f"{boot} {os.stat(root).st_dev}" if boot else ""
    return ""
