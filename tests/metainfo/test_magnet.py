import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import magnets
from trio_torrent.address import Address
from trio_torrent.errors import MagnetError
from trio_torrent.metainfo import InfoHashes, Magnet
from trio_torrent.metainfo.magnet import MAX_FILE_NUMBER, MAX_LINK, MAX_PEERS, MAX_RANGES, MAX_SOURCES
from trio_torrent.metainfo.urls import MAX_TRACKERS, MAX_WEB_SEEDS

V1 = bytes(range(20))
V2 = bytes(range(100, 132))
BASE32 = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"
LINK = f"magnet:?xt=urn:btih:{V1.hex()}"


@pytest.mark.parametrize(
    "text",
    [
        V1.hex(),
        BASE32,
        LINK,
        f" {LINK}\n",
        f"MAGNET:?XT=URN:BTIH:{V1.hex().upper()}",
        f"magnet:?xt=urn:btih:{BASE32}",
        f"magnet:?xt=urn:btih:{BASE32.lower()}",
        f"magnet://?xt=urn:btih:{V1.hex()}",
        f"magnet:?xt.1=urn:btih:{V1.hex()}",
        f"magnet:?xt=urn%3Abtih%3A{V1.hex()}",
        f"magnet:?xt=urn:btih:{V1.hex()}&xt=urn:btih:{BASE32}",
        f"magnet:?xt=urn:sha1:{BASE32}&xt=urn:btih:{V1.hex()}&xt=urn:ed2k:31D6CFE0D16AE931B73C59D7E0C089C0",
        f"magnet:?xt=urn:btmh:1114{V1.hex()}&xt=urn:btih:{V1.hex()}",  # SHA-1 as a multihash is of no use
        f"{LINK}&&=&x&xl=10&kt=key+word&mt=urn:x&x.foo=bar&é=ü",
    ],
)
def test_the_same_torrent(text):
    assert Magnet.parse(text) == Magnet(InfoHashes(V1))


def test_v2_and_hybrid():
    v2 = f"xt=urn:btmh:1220{V2.hex()}"
    assert Magnet.parse(f"magnet:?{v2}").info_hashes == InfoHashes(v2=V2)
    assert Magnet.parse(f"{LINK}&{v2}").info_hashes == InfoHashes(V1, V2)
    assert Magnet.parse(V2.hex()).info_hashes == InfoHashes(v2=V2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an info-hash"),
        ("abc", "not an info-hash"),
        ("magnet:", "has no info-hash"),
        ("http://host/?xt=urn:btih:" + V1.hex(), "does not begin with magnet:?"),
        ("magnet:?", "has no info-hash"),
        ("magnet:?dn=name", "has no info-hash"),
        ("magnet:?xt=" + V1.hex(), "has no info-hash"),
        ("magnet:?xt=urn:btih:", "'' is not an info-hash"),
        ("magnet:?xt=urn:btih:xyz", "'xyz' is not an info-hash"),
        ("magnet:?xt=urn:btih:" + "g" * 40, "has a character that is not a digit"),
        ("magnet:?xt=urn:btih:" + V2.hex(), "urn:btih: has 20 bytes"),
        ("magnet:?xt=urn:btmh:1220" + V1.hex(), "has 64 hex digits"),
        ("magnet:?xt=urn:btmh:1220", "is not an info-hash"),
        (f"{LINK}&xt=urn:btih:{bytes(20).hex()}", "two different info-hashes"),
        (f"{LINK}&xt=urn:btih:", "is not an info-hash"),
        ("magnet:?" + "x" * MAX_LINK + "x", "characters, more than"),
    ],
)
def test_refused(text, message):
    with pytest.raises(MagnetError) as caught:
        Magnet.parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ("dn=a+name%20of%2Bit", "name", "a name of+it"),
        ("dn=..%2F..%2Fetc%2Fpasswd", "name", "....etcpasswd"),
        ("dn=%1B%5B31m", "name", "_[31m"),
        ("dn=%FF%FE", "name", "__"),
        ("dn=&dn=second", "name", "second"),
        ("dn=a=b", "name", "a=b"),
        ("tr=udp://a.example:1/announce", "trackers", ("udp://a.example:1/announce",)),
        ("tr=http%3A%2F%2Fa.example%2Fann%3Fkey%3D1%26x%3D2", "trackers", ("http://a.example/ann?key=1&x=2",)),
        ("tr.1=http://a.example/&tr.2=http://b.example/", "trackers", ("http://a.example/", "http://b.example/")),
        ("tr=http://a.example/&tr=http://a.example/", "trackers", ("http://a.example/",)),
        ("tr=&tr=junk&tr=%00&tr=http://&tr=http://%0d%0aHost", "trackers", ()),
        ("amp;tr=http://a.example/&amp;dn=x", "trackers", ("http://a.example/",)),
        ("ws=http://a.example/a%2520b", "web_seeds", ("http://a.example/a%20b",)),
        ("ws=http://a.example/a%20b", "web_seeds", ("http://a.example/a%20b",)),
        ("x.pe=1.2.3.4:5", "peers", (Address("1.2.3.4", 5),)),
        ("x.pe=%5B2001:0db8::1%5D:5&x.pe=[::1]:6", "peers", (Address("2001:db8::1", 5), Address("::1", 6))),
        ("x.pe=peer.example:80", "peers", (Address("peer.example", 80),)),
        ("x.pe=1.2.3.4&x.pe=:80&x.pe=a:0&x.pe=a:65536&x.pe=a%0a:1&x.pe=[x]:1&x.pe=a b:1", "peers", ()),
        ("so=0,2,4,6-8", "select", (range(1), range(2, 3), range(4, 5), range(6, 9))),
        ("so=5-3,x,-1,1-,99999999999,+1,%2D,1_0,3", "select", (range(3, 4),)),
        (f"so={MAX_FILE_NUMBER}", "select", ()),
        ("so=0%2C1&so=7", "select", (range(1), range(1, 2), range(7, 8))),
        (
            "xs=http://a.example/x.torrent&as=urn:btpk:00",
            "exact_sources",
            ("http://a.example/x.torrent", "urn:btpk:00"),
        ),
        ("xs=%00&as=", "exact_sources", ()),
    ],
)
def test_parameters(parameters, field, value):
    assert getattr(Magnet.parse(f"{LINK}&{parameters}"), field) == value


@pytest.mark.parametrize(
    ("parameter", "field", "limit"),
    [
        ("tr=http://{}.example/", "trackers", MAX_TRACKERS),
        ("ws=http://{}.example/", "web_seeds", MAX_WEB_SEEDS),
        ("x.pe=1.2.3.4:{}1", "peers", MAX_PEERS),
        ("xs=http://{}.example/", "exact_sources", MAX_SOURCES),
    ],
)
def test_lists_are_limited(parameter, field, limit):
    link = "&".join([LINK, *[parameter.format(number) for number in range(limit + 5)]])
    assert len(getattr(Magnet.parse(link), field)) == limit


def test_ranges_are_limited():
    link = f"{LINK}&so=" + ",".join(str(number) for number in range(MAX_RANGES + 5))
    assert len(Magnet.parse(link).select) == MAX_RANGES


def test_written():
    magnet = Magnet(
        InfoHashes(V1, V2),
        "a name & more",
        trackers=("udp://a.example:1/announce?x=1",),
        web_seeds=("http://a.example/é",),
        peers=(Address("1.2.3.4", 5), Address("::1", 6)),
        select=(range(2, 3), range(4, 7)),
        exact_sources=("urn:btpk:00",),
    )
    assert str(magnet) == (
        f"magnet:?xt=urn:btih:{V1.hex()}&xt=urn:btmh:1220{V2.hex()}&dn=a%20name%20%26%20more"
        "&tr=udp%3A%2F%2Fa.example%3A1%2Fannounce%3Fx%3D1&ws=http%3A%2F%2Fa.example%2F%C3%A9"
        "&x.pe=1.2.3.4:5&x.pe=[::1]:6&so=2,4-6&xs=urn:btpk:00"
    )


@settings(max_examples=20)
@given(magnets)
def test_round_trip(magnet):
    assert Magnet.parse(str(magnet)) == magnet


@given(st.text(max_size=60) | st.text("magnet:?xturnbih=&.%0123456789-,so", max_size=120))
def test_garbage_gives_a_magnet_or_a_magnet_error(text):
    for link in (text, f"{LINK}&{text}"):
        try:
            magnet = Magnet.parse(link)
        except MagnetError:
            continue
        assert Magnet.parse(str(magnet)) == magnet
