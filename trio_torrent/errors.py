"""Everything that can go wrong, by whose fault it is.

A `TorrentError` is the world's fault: a broken file, a peer that breaks the protocol, a full disk. It reads as one
line that a person can act on. Misuse of this library raises Python's own `ValueError`, `TypeError` or `RuntimeError`.
"""

import errno


class TorrentError(Exception):
    """The base of every error that trio-torrent raises because of the outside world."""


class BencodeError(TorrentError):
    """The bytes are not bencode, or exceed a limit (BEP 3)."""


class MetainfoError(TorrentError):
    """A torrent that cannot be used. The message names the field."""


class MagnetError(TorrentError):
    """A magnet link that cannot be used. The message says why."""


class ProtocolError(TorrentError):
    """A peer broke the peer wire protocol; the connection to it is over."""


class PeerError(TorrentError):
    """A peer could not be reached, or went away."""


class ShortageError(PeerError):
    """We have no descriptor or no place for a connection; the peer has nothing to do with it."""


class TrackerError(TorrentError):
    """A tracker did not answer, or answered with a failure."""


class DhtError(TorrentError):
    """The DHT cannot do what was asked of it, or refused it."""


# Nobody but the user can do something about these: something else where a file should be, or a name that cannot be.
_IN_THE_WAY = frozenset({errno.EEXIST, errno.EISDIR, errno.ENOTDIR})
_LASTING = _IN_THE_WAY | {errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


class StorageError(TorrentError):
    """Files could not be read or written. The torrent stops; what was verified stays.

    `file` is the number of the torrent's file that it is about, where it is about one.
    """

    def __init__(self, message: str, *, number: int | None = None, file: int | None = None) -> None:
        super().__init__(message)
        self.number = number  # the system's error number
        self.file = file

    @property
    def lasting(self) -> bool:
        """Trying again later is of no use."""
        return self.number in _LASTING

    @property
    def in_the_way(self) -> bool:
        """Something else is where the file should be, until the user moves it away or renames the torrent's."""
        return self.number in _IN_THE_WAY


class ChangedError(StorageError):
    """Somebody has written to a file, or removed it: what it holds must be compared with the torrent again."""


class IncompleteError(TorrentError):
    """Data that should be complete is not; `good` is how many of its pieces are right."""

    def __init__(self, message: str, good: int) -> None:
        super().__init__(message)
        self.good = good


class StoppedError(TorrentError):
    """The torrent was stopped before what was waited for."""
