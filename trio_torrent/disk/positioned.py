"""Reads and writes at an offset, whole: the system may do part of one without saying why."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Sequence

MOST_BUFFERS = 1024  # that one call of the system takes: Linux's IOV_MAX, and macOS's

BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux alone has it

# Bytes of one write. On ext4, and while others write, a megabyte at a time takes up to 1.5 s of CPU a gigabyte, as if
# large pages had to be found for it; half of that never more than the 0.2 s that it takes at best. With an eighth a
# download takes a tenth longer: after each step the thread must get hold of the interpreter again.
MOST_WRITE = 512 * 1024

if hasattr(os, "pwrite") and hasattr(os, "preadv"):

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        """Write what can be written at once; how many bytes."""
        return os.pwrite(descriptor, data[:MOST_WRITE], offset)

    def read_some(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        """Read what one call reads, into one buffer after the other; how many bytes."""
        return os.preadv(descriptor, buffers[:MOST_BUFFERS], offset)

else:  # Windows has neither
    _seek_lock = threading.Lock()

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        """Write what can be written at once; how many bytes."""
        with _seek_lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, data)

    def read_some(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        """Read what one call reads, into the first of the buffers; how many bytes."""
        with _seek_lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = os.read(descriptor, len(buffers[0]))
        buffers[0][: len(data)] = data
        return len(data)


def write_all(descriptor: int, data: memoryview, offset: int) -> None:
    """Write every byte, or raise OSError. A full disk shows as a short write first, and as ENOSPC only then."""
    while data:
        written = write_some(descriptor, data, offset)
        if written == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data = data[written:]
        offset += written


def read_all(descriptor: int, buffers: Sequence[memoryview], offset: int) -> bool:
    """Fill the buffers, none of them empty, one after the other; False if the file ends before."""
    while buffers:
        count = read_some(descriptor, buffers, offset)
        if count == 0:
            return False
        offset += count
        buffers = _rest(buffers, count)
    return True


def _rest(buffers: Sequence[memoryview], filled: int) -> list[memoryview]:
    """What is left of the buffers, after so many bytes of them."""
    rest = list(reversed(buffers))
    while rest and len(rest[-1]) <= filled:
        filled -= len(rest.pop())
    if filled:
        rest[-1] = rest[-1][filled:]
    return rest[::-1]


def read_at_once(descriptor: int, buffers: Sequence[memoryview], offset: int) -> bool:
    """Fill the buffers, if all of it is in memory and no disk is waited for; False, or OSError, if that cannot be.

    It never can where the system cannot be asked so, which goes for file systems over a network, too.
    """
    return _NO_WAIT is not None and os.preadv(descriptor, buffers, offset, _NO_WAIT) == sum(map(len, buffers))


def sync(descriptor: int) -> None:
    """Return when what was written would survive a power cut."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:  # macOS and Windows
        os.fsync(descriptor)
