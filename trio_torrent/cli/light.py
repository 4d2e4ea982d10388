"""What a library would load for itself, and this program does without."""

from __future__ import annotations

import sys


def travel_light() -> None:
    """Leave out httpx's own command line, for which it loads rich: 45 of the 70 ms that it takes. To httpx it is as if
    what that needs were not installed. For the program only: who embeds the library may want it.
    """
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # to the import system: there is none
