import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import ports
from trio_torrent.errors import ProtocolError
from trio_torrent.wire.lsd import MAX_DATAGRAM, MOST_HASHES, LocalAnnounce, decode_local, encode_local

HASH = bytes(range(20))
TEXT = HASH.hex()

hashes = st.lists(st.binary(min_size=20, max_size=20), min_size=1, max_size=MOST_HASHES, unique=True).map(tuple)
cookies = st.text("0123456789abcdef-", max_size=40)


@given(st.builds(LocalAnnounce, ports, hashes, cookies), st.booleans())
def test_round_trip(announce: LocalAnnounce, ipv6: bool):
    assert decode_local(encode_local(announce, ipv6=ipv6)) == announce


@pytest.mark.parametrize(("ipv6", "host"), [(False, "239.192.152.143:6771"), (True, "[ff15::efc0:988f]:6771")])
def test_the_bytes(ipv6: bool, host: str):
    said = encode_local(LocalAnnounce(6881, (HASH,), "me"), ipv6=ipv6).decode()
    lines = ["BT-SEARCH * HTTP/1.1", f"Host: {host}", "Port: 6881", f"Infohash: {TEXT}", "cookie: me", "", "", ""]
    assert said == "\r\n".join(lines)


def test_the_most_that_is_said_fits():
    full = LocalAnnounce(65535, tuple([bytes([number]) * 20 for number in range(MOST_HASHES)]), "c" * 16)
    assert len(encode_local(full, ipv6=True)) <= MAX_DATAGRAM
    with pytest.raises(ValueError, match="26 info-hashes"):
        encode_local(LocalAnnounce(1, (*full.info_hashes, HASH)), ipv6=False)


@pytest.mark.parametrize(
    "text",
    [
        f"BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 1\r\nInfohash: {TEXT}\r\n\r\n\r\n",
        f"bt-search * http/1.1\nPORT:1\nINFOHASH:{TEXT.upper()}",
        f"BT-SEARCH * HTTP/1.1\r\nX-New: thing\r\n\x00\r\nInfohash: short\r\nInfohash: \t{TEXT} \r\nPort: 1\r\n",
        f"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nPort: 70000\r\nInfohash: {TEXT}\r\nInfohash: {TEXT}\r\n",
    ],
)
def test_how_others_write_it(text: str):
    assert decode_local(text.encode()) == LocalAnnounce(1, (HASH,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "M-SEARCH * HTTP/1.1\r\n",
        f"BT-SEARCH * HTTP/1.1\r\nInfohash: {TEXT}\r\n",
        f"BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: {TEXT}\r\n",
        f"BT-SEARCH * HTTP/1.1\r\nPort: ²\r\nInfohash: {TEXT}\r\n",
        "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n",
        f"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {TEXT[:-1]} \r\n",
        f"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {TEXT}\r\n" + "x" * 1400,
    ],
)
def test_what_announces_nothing(text: str):
    with pytest.raises(ProtocolError):
        decode_local(text.encode("latin-1", "replace"))


@given(st.binary(max_size=200))
def test_garbage_is_refused(datagram: bytes):
    with pytest.raises(ProtocolError):
        decode_local(datagram)
