"""The garbage collector, out of the way while a command is loaded, and when the program ends.

What is loaded stays, and there are some 200,000 objects of it. To look through them again and again for what could go
takes 40 ms, a seventh of the time until a download begins, and as long once more in its midst.
The interpreter looks through all of it three times more when it ends, which takes 40 ms, to free what goes anyway.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected in the block, until `loaded`; nor when the program ends, as it does soon after."""
    gc.disable()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


def loaded() -> None:
    """All that is here stays; what comes now is collected, as usual."""
    gc.freeze()
    gc.enable()
