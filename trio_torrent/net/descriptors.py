"""How many files and sockets the system lets this process have open."""

from __future__ import annotations

import errno
import sys

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system says when it has nothing left to give: our trouble, and nobody else's fault."""

if sys.platform == "win32":

    def most_descriptors() -> int | None:
        """No limit: sockets are not counted there."""
        return None

else:
    import resource

    def most_descriptors() -> int | None:
        """The soft limit, or None where there is none."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
