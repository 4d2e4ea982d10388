"""Both families of addresses, both protocols, and what a proxy leaves of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

import attrs
import pytest
import trio

from tests.udptracker import udp_tracker
from trio_torrent.address import Address
from trio_torrent.bencode import encode
from trio_torrent.errors import TrackerError
from trio_torrent.net.asking import Trackers, make_trackers
from trio_torrent.net.http import make_http
from trio_torrent.net.http_tracker import MAX_ANSWER
from trio_torrent.net.reach import Family, Local, NoAddressError
from trio_torrent.net.tracker_server import serve_tracker
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Counts, Refused
from trio_torrent.tracker.limits import MAX_SCRAPED

SAID = Announce(b"h" * 20, b"p" * 20, 6881, 1, 2, 3, AnnounceEvent.STARTED, 4, 50, None)
URL = "http://t.example/announce"
BOTH = list(Family)

Outcome = bytes | TrackerError | None  # None is silence


@attrs.define
class FakeHttp:
    """Answers by family, after as many seconds as its number."""

    outcomes: Mapping[Family | None, Outcome]
    asked: list[tuple[str, Family | None, Local]] = attrs.field(factory=list)

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        assert limit == MAX_ANSWER
        self.asked.append((url, family, local))
        outcome = self.outcomes[family]
        await trio.sleep(seconds if outcome is None else family.value if family else 1)
        if not isinstance(outcome, bytes):
            raise outcome or TrackerError("no answer in time")
        return outcome


def peers(host: bytes) -> bytes:
    return encode({b"peers": host + b"\0\1"})


async def ask(trackers: Trackers, url: str = URL) -> list[tuple[float, Answer]]:
    heard: list[tuple[float, Answer]] = []

    async def hear(answer: Answer) -> None:
        await trio.lowlevel.checkpoint()
        heard.append((trio.current_time(), answer))

    await trackers.announce(url, SAID, hear)
    return heard


async def test_both_families_are_asked_at_once_and_each_answer_is_heard_as_it_comes(autojump_clock):
    http = FakeHttp({Family.IPV4: peers(b"\1\1\1\1"), Family.IPV6: peers(b"\2\2\2\2")})
    heard = await ask(Trackers(http, None, BOTH))
    assert [(at, answer.peers[0].host) for at, answer in heard] == [(4, "1.1.1.1"), (6, "2.2.2.2")]
    assert {family for _, family, _ in http.asked} == set(BOTH)
    assert len({url for url, _, _ in http.asked}) == 1  # the same key, too (BEP 7)


@pytest.mark.parametrize("works", BOTH)
@pytest.mark.parametrize("other", [None, TrackerError("unreachable"), NoAddressError("has none"), Refused("no")])
async def test_one_family_is_enough(autojump_clock, works, other):
    http = FakeHttp({**dict.fromkeys(BOTH, other), works: peers(b"\1\1\1\1")})
    ((at, answer),) = await ask(Trackers(http, None, BOTH))
    assert at == works.value
    assert answer.peers


@pytest.mark.parametrize(
    ("v4", "v6", "told"),
    [
        (TrackerError("refused"), TrackerError("unreachable"), "refused"),
        (TrackerError("refused"), NoAddressError("has none"), "refused"),
        (NoAddressError("has none"), TrackerError("unreachable"), "unreachable"),
        (NoAddressError("has none"), NoAddressError("has none either"), "has none"),
        (TrackerError("refused"), Refused("not registered"), "not registered"),
        (b"<html>", NoAddressError("has none"), "answered with a web page: this is no tracker"),
    ],
)
async def test_if_both_fail_the_more_telling_error_is_told(autojump_clock, v4, v6, told):
    with pytest.raises(TrackerError) as caught:
        await ask(Trackers(FakeHttp({Family.IPV4: v4, Family.IPV6: v6}), None, BOTH))
    assert str(caught.value) == told


async def test_a_slow_listener_delays_no_other_answer(autojump_clock):
    http = FakeHttp({Family.IPV4: peers(b"\1\1\1\1"), Family.IPV6: peers(b"\2\2\2\2")})
    heard = []

    async def hear(answer: Answer) -> None:
        heard.append(trio.current_time())
        await trio.sleep(100)

    await Trackers(http, None, BOTH).announce(URL, SAID, hear)
    assert heard == [4, 6]


async def test_a_scrape_asks_for_many_torrents_in_portions(autojump_clock):
    hashes = [n.to_bytes(20) for n in range(2 * MAX_SCRAPED + 1)]
    http = FakeHttp({None: encode({b"files": {info_hash: {b"complete": 1} for info_hash in hashes}})})
    counted = await Trackers(http, None, BOTH).scrape(URL, hashes)
    assert counted == dict.fromkeys(hashes, Counts(1, None, None))
    assert [url.count("info_hash=") for url, _, _ in http.asked] == [MAX_SCRAPED, MAX_SCRAPED, 1]
    assert {local for _, _, local in http.asked} == {Local.NEVER}


async def test_a_scrape_of_what_has_none_is_a_tracker_error():
    with pytest.raises(TrackerError, match=r"t\.example: has no URL for scrapes"):
        await Trackers(FakeHttp({}), None, BOTH).scrape("http://t.example/SECRET", [b"h" * 20])


def trackers_for(
    http: FakeHttp, lookup: Callable[[str], Awaitable[Sequence[str]]] | None = None, **options
) -> Trackers:
    given = {"interface": None, "proxied": False, "allow_local": False, **options}
    return make_trackers(http, lookup=lookup or nowhere, random=Random(1), **given)


async def nowhere(host: str) -> Sequence[str]:
    raise OSError("no such host")


async def test_udp_trackers_are_asked_over_both_families_too(autojump_clock):
    async def lookup(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        return ["127.0.0.1", "::1"]

    async with udp_tracker() as v4, udp_tracker(host="::1", port=v4.port) as v6:
        heard = await ask(trackers_for(FakeHttp({}), lookup), f"UDP://t.example:{v4.port}/announce")
        counted = await trackers_for(FakeHttp({}), lookup).scrape(f"udp://t.example:{v4.port}", [b"h" * 20])
    assert len(heard) == 2
    assert v4.heard[1].data[16:] == v6.heard[1].data[16:]
    assert counted == {b"h" * 20: Counts(4, 3, 5)}


@pytest.mark.parametrize(("interface", "families"), [("127.0.0.1", [Family.IPV4]), ("::1", [Family.IPV6])])
async def test_from_one_local_address_one_family_is_reached(autojump_clock, interface, families):
    http = FakeHttp(dict.fromkeys(BOTH, peers(b"\1\1\1\1")))
    await ask(trackers_for(http, interface=interface))
    assert [family for _, family, _ in http.asked] == families


async def test_with_a_proxy_nothing_is_asked_by_udp_and_the_proxy_chooses_the_family(autojump_clock):
    http = FakeHttp({None: peers(b"\1\1\1\1")})
    trackers = trackers_for(http, proxied=True)
    assert len(await ask(trackers)) == 1
    assert list(trackers.silenced) == ["udp"]
    async with udp_tracker() as tracker:
        for asking in (ask(trackers, tracker.url()), trackers.scrape(tracker.url(), [b"h" * 20])):
            with pytest.raises(TrackerError, match="UDP does not go through the proxy"):
                await asking
    assert tracker.heard == []


def test_without_a_proxy_nothing_is_silenced():
    assert trackers_for(FakeHttp({})).silenced == {}


async def test_a_real_tracker_with_both_kinds_of_addresses_hears_of_both(nursery):
    v4 = await nursery.start(serve_tracker)
    port = int(v4.url.split(":")[2].split("/")[0])
    v6 = await nursery.start(lambda task_status: serve_tracker(host="::1", port=port, task_status=task_status))

    async def lookup(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        return ["127.0.0.1", "::1"]

    http = make_http(user_agent="test/1", lookup=lookup)
    heard = await ask(Trackers(http, None, BOTH), f"http://t.example:{port}/announce")
    assert sorted(answer.external_ip or "" for _, answer in heard) == ["127.0.0.1", "::1"]
    assert [peer.address for peer in v4.registry.peers(SAID.info_hash)] == [Address("127.0.0.1", 6881)]
    assert [peer.address for peer in v6.registry.peers(SAID.info_hash)] == [Address("::1", 6881)]
