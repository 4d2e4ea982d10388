"""Hypothesis strategies for the values of the project. Extend it; do not write a second one elsewhere."""

from __future__ import annotations

from hypothesis import strategies as st

from trio_torrent.address import Address
from trio_torrent.bencode import Value
from trio_torrent.metainfo import InfoHashes, Magnet
from trio_torrent.metainfo.infohash import Version

digests_v1 = st.binary(min_size=20, max_size=20)
digests_v2 = st.binary(min_size=32, max_size=32)
ports = st.integers(1, 65535)
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10)
hosts = st.one_of(st.ip_addresses().map(str), labels.map("{}.example".format))
addresses = st.builds(Address, hosts, ports)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
urls = st.builds("{}://{}.example:{}/{}".format, st.sampled_from(["http", "https", "udp"]), labels, ports, visible)
versions: st.SearchStrategy[Version] = st.sampled_from(["1", "2", "hybrid"])

# A name that a torrent can have as it is: no separators, nothing invisible, not `.` or `..`.
names = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not name.startswith("_____padding_file_")
)


def values(max_leaves: int = 30) -> st.SearchStrategy[Value]:
    """Whatever bencode has a form for."""
    return st.recursive(
        st.integers() | st.binary(max_size=50),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.binary(max_size=12), inner, max_size=6),
        max_leaves=max_leaves,
    )


@st.composite
def contents(draw: st.DrawFn) -> dict[tuple[str, ...], bytes]:
    """The files of a small torrent, some of them empty, at least one not: path -> bytes; `()` for a single file."""
    sizes = st.sampled_from([0, 1, 100, 16383, 16384, 16385, 40000])
    if draw(st.booleans()):
        return {(): bytes(draw(sizes.filter(bool)))}
    folders = draw(st.lists(names.map("d".__add__), max_size=2))
    files = draw(st.lists(names.map("f".__add__), min_size=1, max_size=6, unique_by=str.casefold))
    found = {(*folders[: draw(st.integers(0, len(folders)))], file): draw(sizes) for file in files}
    found[*folders, "full"] = 1 + draw(sizes)
    return {path: bytes([len(path)]) * size for path, size in found.items()}


info_hashes = st.one_of(
    st.builds(InfoHashes, digests_v1),
    st.builds(InfoHashes, st.none(), digests_v2),
    st.builds(InfoHashes, digests_v1, digests_v2),
)
file_ranges = st.tuples(st.integers(0, 1000), st.integers(1, 50)).map(lambda pair: range(pair[0], sum(pair)))


def _unique(strategy: st.SearchStrategy, most: int = 4) -> st.SearchStrategy:
    return st.lists(strategy, max_size=most, unique=True).map(tuple)


magnets = st.builds(
    Magnet,
    info_hashes=info_hashes,
    name=st.just("") | names,
    trackers=_unique(urls),
    web_seeds=_unique(urls),
    peers=_unique(addresses),
    select=_unique(file_ranges),
    exact_sources=_unique(urls),
)
