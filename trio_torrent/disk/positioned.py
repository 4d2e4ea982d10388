"""Reads and writes at an offset, whole: the system may do part of one without saying why."""

from __future__ import annotations

import errno
import os
import threading

BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)

if hasattr(os, "pwrite") and hasattr(os, "preadv"):

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        """Write what can be written at once; how many bytes."""
        return os.pwrite(descriptor, data, offset)

    def read_some(descriptor: int, buffer: memoryview, offset: int) -> int:
        """Read what can be read at once; how many bytes."""
        return os.preadv(descriptor, [buffer], offset)

else:  # Windows has neither
    _seek_lock = threading.Lock()

    def write_some(descriptor: int, data: memoryview, offset: int) -> int:
        """Write what can be written at once; how many bytes."""
        with _seek_lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, data)

    def read_some(descriptor: int, buffer: memoryview, offset: int) -> int:
        """Read what can be read at once; how many bytes."""
        with _seek_lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = os.read(descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def write_all(descriptor: int, data: memoryview, offset: int) -> None:
    """Write every byte, or raise OSError. A full disk shows as a short write first, and as ENOSPC only then."""
    while data:
        written = write_some(descriptor, data, offset)
        if written == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data = data[written:]
        offset += written


def read_all(descriptor: int, buffer: memoryview, offset: int) -> bool:
    """Fill the buffer; False if the file ends before."""
    while buffer:
        count = read_some(descriptor, buffer, offset)
        if count == 0:
            return False
        buffer = buffer[count:]
        offset += count
    return True


def sync(descriptor: int) -> None:
    """Return when what was written would survive a power cut."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:  # macOS and Windows
        os.fsync(descriptor)
