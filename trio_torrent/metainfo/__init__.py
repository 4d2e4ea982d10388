"""What a torrent is: values, no I/O.

`Metainfo` is a .torrent file and `Magnet` a link to one. Both are known by their `InfoHashes`. `Geometry` is how long
each piece is, `FileLayout` where its bytes are in the files.
"""

from .files import File, FileLayout, FileSlice
from .geometry import BLOCK_SIZE, Geometry
from .infohash import InfoHashes, parse_info_hash
from .magnet import Magnet
from .torrent import Metainfo

__all__ = [
    "BLOCK_SIZE",
    "File",
    "FileLayout",
    "FileSlice",
    "Geometry",
    "InfoHashes",
    "Magnet",
    "Metainfo",
    "parse_info_hash",
]
