import hashlib

import pytest
from hypothesis import given

from tests.strategies import info_hashes
from trio_torrent.metainfo import InfoHashes, parse_info_hash

V1 = bytes(range(20))
V2 = bytes(range(100, 132))


@pytest.mark.parametrize(
    ("hashes", "version", "names", "text"),
    [
        (InfoHashes(V1), "1", (V1,), V1.hex()),
        (InfoHashes(v2=V2), "2", (V2[:20],), V2.hex()),
        (InfoHashes(V1, V2), "hybrid", (V1, V2[:20]), f"{V1.hex()} / {V2.hex()}"),
    ],
)
def test_names_on_the_wire(hashes, version, names, text):
    assert hashes.version == version
    assert hashes.all_wire == names
    assert hashes.wire == names[0]
    assert str(hashes) == text


@pytest.mark.parametrize(("v1", "v2"), [(None, None), (V2, None), (None, V1), (V1, V1), (b"", V2)])
def test_not_info_hashes(v1, v2):
    with pytest.raises(ValueError, match="info-hash"):
        InfoHashes(v1, v2)


def test_matches_what_it_is_the_hash_of():
    v1, v2 = hashlib.sha1(b"info").digest(), hashlib.sha256(b"info").digest()
    for right in (InfoHashes(v1), InfoHashes(None, v2), InfoHashes(v1, v2)):
        assert right.matches(b"info")
        assert not right.matches(b"other")
    assert not InfoHashes(v1, V2).matches(b"info")
    assert not InfoHashes(V1, v2).matches(b"info")


@pytest.mark.parametrize(
    ("text", "hashes"),
    [
        (V1.hex(), InfoHashes(V1)),
        (V1.hex().upper(), InfoHashes(V1)),
        (f"  {V1.hex()}\n", InfoHashes(V1)),
        ("AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT", InfoHashes(V1)),
        ("aaaqeayeaudaocajbifqydiob4ibceqt", InfoHashes(V1)),
        (V2.hex(), InfoHashes(v2=V2)),
    ],
)
def test_parse(text, hashes):
    assert parse_info_hash(text) == hashes


@pytest.mark.parametrize(
    "text",
    ["", "abc", "g" * 40, "é" * 40, V1.hex() + "0", "1" * 32, " ".join(["00"] * 11) + "0000000", "0 " * 20, "=" * 32],
)
def test_not_an_info_hash(text):
    with pytest.raises(ValueError, match="is not an info-hash"):
        parse_info_hash(text)


@given(info_hashes)
def test_hex_is_read_back(hashes):
    read = [parse_info_hash(text) for text in str(hashes).split(" / ")]
    assert {each.v1 or each.v2 for each in read} == {hashes.v1, hashes.v2} - {None}
