"""What is in the places of many files: a folder that is missing is asked for once, whatever it should hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator


def survey(places: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, os.stat_result | None]]:
    """The numbers and paths at which something is, and what the system says of it, a symbolic link being followed.

    None if something else is where a folder should be. What cannot be said is left out: opening it will say why.
    """
    missing: set[str] = set()
    for number, path in places:
        if missing and path.rpartition(os.sep)[0] in missing:
            continue
        try:
            yield number, path, os.stat(path)
        except FileNotFoundError:
            folder = path.rpartition(os.sep)[0]
            if not os.path.exists(folder):
                missing.add(folder)
        except NotADirectoryError:
            yield number, path, None
        except (OSError, UnicodeEncodeError):
            pass
