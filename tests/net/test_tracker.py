"""The announce task over a fake of HTTP, in virtual time."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random

import attrs
import pytest
import trio

from trio_torrent.address import Address
from trio_torrent.bencode import encode
from trio_torrent.errors import TrackerError
from trio_torrent.net.asking import Trackers
from trio_torrent.net.http_tracker import ANNOUNCE_SECONDS, MAX_ANSWER, announce
from trio_torrent.net.reach import Family, Local
from trio_torrent.net.tracker import STOP_SECONDS, Announcer, Found
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Refused, Totals
from trio_torrent.tracker.query import parse_announce
from trio_torrent.tracker.tiers import Tiers

A, B, C = (f"http://{name}.example/announce" for name in "abc")
GOOD = encode({b"interval": 900, b"peers": b"\x01\x02\x03\x04\x1a\xe1"})
PEERS = (Address("1.2.3.4", 6881),)

Tracker = Callable[[Announce], Awaitable[bytes]]


@attrs.frozen
class Heard:
    at: float
    url: str
    announce: Announce
    seconds: float


@attrs.define
class FakeHttp:
    """Trackers by URL, and what they heard."""

    trackers: dict[str, Tracker]
    heard: list[Heard] = attrs.field(factory=list)
    under_way: int = 0

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        assert limit == MAX_ANSWER
        base, _, query = url.partition("?")
        said = parse_announce(query.encode()).announce
        self.heard.append(Heard(trio.current_time(), base, said, seconds))
        self.under_way += 1
        try:
            with trio.fail_after(seconds):
                return await self.trackers[base](said)
        except trio.TooSlowError:
            raise TrackerError("no answer in time") from None
        finally:
            self.under_way -= 1

    def events(self, url: str) -> list[tuple[float, str]]:
        return [(heard.at, heard.announce.event.value) for heard in self.heard if heard.url == url]


async def good(said: Announce) -> bytes:
    await trio.lowlevel.checkpoint()
    return GOOD


async def silent(said: Announce) -> bytes:
    await trio.sleep_forever()
    raise AssertionError


def says(body: bytes) -> Tracker:
    async def tracker(said: Announce) -> bytes:
        await trio.lowlevel.checkpoint()
        return body

    return tracker


async def broken(said: Announce) -> bytes:
    await trio.lowlevel.checkpoint()
    raise TrackerError("answered 500 Internal Server Error")


@attrs.define
class Torrent:
    """What an announcer is told, and what it finds."""

    left: int = 7
    found: list[tuple[float, str]] = attrs.field(factory=list)

    def totals(self) -> Totals:
        return Totals(1, 2, self.left)

    async def take(self, addresses: Sequence[Address], source: str) -> None:
        await trio.lowlevel.checkpoint()
        assert tuple(addresses) == PEERS
        self.found.append((trio.current_time(), source))


def make(
    http: FakeHttp,
    torrent: Torrent,
    tiers: Sequence[Sequence[str]] | None = None,
    found: Found | None = None,
    names: Sequence[bytes] = (b"h" * 20,),
) -> Announcer:
    return Announcer(
        tiers=Tiers(tiers or [[url] for url in http.trackers], random=Random(1)),
        trackers=Trackers(http, None, [None]),
        names=lambda: names,
        peer_id=b"p" * 20,
        port=6881,
        totals=torrent.totals,
        found=found or torrent.take,
        random=Random(2),
    )


def states(announcer: Announcer) -> dict[str, str]:
    return {tracker.url: tracker.state for tracker in announcer.status}


@pytest.fixture
def torrent():
    return Torrent()


async def test_one_announce():
    http = FakeHttp({A: good})
    said = Announce(b"h" * 20, b"p" * 20, 1, 2, 3, 4, AnnounceEvent.STARTED, 5, 6, None)
    answer = await announce(http, A, said)
    assert answer.peers == PEERS
    assert http.heard[0].announce == said
    assert http.heard[0].seconds == ANNOUNCE_SECONDS


async def test_one_announce_that_is_refused():
    said = Announce(b"h" * 20, b"p" * 20, 1, 2, 3, 4, AnnounceEvent.NONE, 5, 6, None)
    with pytest.raises(Refused, match="go away"):
        await announce(FakeHttp({A: says(b"d14:failure reason7:go awaye")}), A, said)


@pytest.mark.parametrize(("url", "local"), [(A, Local.ANNOUNCE), (A + "?passkey=x", Local.NEVER)])
async def test_a_url_with_a_query_of_its_own_must_not_lead_to_this_host(url, local):
    class Strict:
        async def get(
            self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
        ) -> bytes:
            await trio.lowlevel.checkpoint()
            asked.append(local)
            return GOOD

    asked: list[Local] = []
    await announce(Strict(), url, Announce(b"h" * 20, b"p" * 20, 1, 2, 3, 4, AnnounceEvent.NONE, 5, 6, None))
    assert asked == [local]


async def test_it_announces_all_that_is_to_be_said(nursery, autojump_clock, torrent):
    http = FakeHttp({A: good})
    nursery.start_soon(make(http, torrent).run)
    await trio.sleep(1)
    said = http.heard[0].announce
    assert (said.info_hash, said.peer_id, said.port) == (b"h" * 20, b"p" * 20, 6881)
    assert (said.uploaded, said.downloaded, said.left, said.numwant) == (1, 2, 7, 200)
    assert said.key == Random(2).getrandbits(32)
    assert torrent.found == [(0, "tracker a.example")]


async def test_it_announces_as_often_as_the_tracker_wants(nursery, autojump_clock, torrent):
    http = FakeHttp({A: good})
    nursery.start_soon(make(http, torrent).run)
    await trio.sleep(2000)
    assert http.events(A) == [(0, "started"), (900, ""), (1800, "")]
    assert len({heard.announce.key for heard in http.heard}) == 1
    assert len(torrent.found) == 3


async def test_a_silent_tracker_delays_no_other(nursery, autojump_clock, torrent):
    http = FakeHttp({A: silent, B: good, C: silent})
    announcer = make(http, torrent)
    nursery.start_soon(announcer.run)
    await trio.sleep(1)
    assert torrent.found == [(0, "tracker b.example")]
    assert states(announcer) == {A: "announcing", B: "working", C: "announcing"}
    await trio.sleep(ANNOUNCE_SECONDS)
    assert states(announcer) == {A: "failing", B: "working", C: "failing"}
    await trio.sleep(60)
    assert [event for _, event in http.events(A)] == ["started", "started"]


async def test_a_reserve_is_asked_as_soon_as_the_first_fails(nursery, autojump_clock, torrent):
    http = FakeHttp({A: silent, B: silent, C: good})
    tiers = Tiers([[A, B, C]], random=Random(1))
    first = next(tracker.url for tracker in tiers.status(0))
    nursery.start_soon(make(http, torrent, [[A, B, C]]).run)
    await trio.sleep(ANNOUNCE_SECONDS * 2 + 1)
    assert [heard.at for heard in http.heard] == [0, 30, 60][: len(http.heard)]
    assert http.heard[0].url == first
    assert torrent.found == [(http.heard[-1].at, "tracker c.example")]


GARBAGE = {
    "answered 500 Internal Server Error": broken,
    "not registered": says(b"d14:failure reason14:not registerede"),
    "web page": says(b"<html>"),
    "not bencode": says(b"\xff" * 100),
    "not a dictionary": says(b"le"),
    "nested deeper": says(b"l" * 1_000_000),
}


@pytest.mark.parametrize("error", GARBAGE)
async def test_whatever_a_tracker_says_the_task_goes_on(nursery, autojump_clock, torrent, error):
    http = FakeHttp({A: GARBAGE[error], B: good})
    announcer = make(http, torrent)
    nursery.start_soon(announcer.run)
    await trio.sleep(1000)
    assert error in (announcer.status[0].error or "")
    assert states(announcer) == {A: "failing", B: "working"}
    assert len(http.events(A)) > 3
    assert {event for _, event in http.events(A)} == {"started"}
    assert http.events(B) == [(0, "started"), (900, "")]


async def test_a_slow_reader_of_addresses_delays_no_announce(nursery, autojump_clock, torrent):
    async def stuck(addresses: Sequence[Address], source: str) -> None:
        await trio.sleep_forever()

    http = FakeHttp({A: good, B: good})
    announcer = make(http, torrent, found=stuck)
    nursery.start_soon(announcer.run)
    await trio.sleep(1000)
    assert http.events(A) == http.events(B) == [(0, "started"), (900, "")]


async def test_completed_is_announced_at_once(nursery, autojump_clock, torrent):
    http = FakeHttp({A: good, B: broken})
    announcer = make(http, torrent)
    nursery.start_soon(announcer.run)
    await trio.sleep(100)
    torrent.left = 0
    announcer.completed()
    announcer.completed()
    await trio.sleep(5)
    assert http.events(A) == [(0, "started"), (100, "completed")]
    assert http.heard[-1].announce.left == 0
    assert {event for _, event in http.events(B)} == {"started"}


async def test_a_seeder_never_announces_completed(nursery, autojump_clock, torrent):
    torrent.left = 0
    http = FakeHttp({A: good})
    announcer = make(http, torrent)
    nursery.start_soon(announcer.run)
    await trio.sleep(100)
    announcer.completed()
    await trio.sleep(900)
    assert http.events(A) == [(0, "started"), (900, "")]


async def test_more_peers_are_asked_for_on_demand(nursery, autojump_clock, torrent):
    http = FakeHttp({A: good})
    announcer = make(http, torrent)
    nursery.start_soon(announcer.run)
    await trio.sleep(10)
    announcer.announce_now()
    await trio.sleep(90)
    assert http.events(A) == [(0, "started"), (30, "")]


async def test_stop_tells_those_who_know_us_and_ends_the_task(autojump_clock, torrent):
    http = FakeHttp({A: good, B: broken, C: silent})
    announcer = make(http, torrent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(announcer.run)
        await trio.sleep(1)
        await announcer.stop()
    assert trio.current_time() == 1
    assert http.events(A) == [(0, "started"), (1, "stopped")]
    assert http.heard[-1].announce.numwant == 0
    assert http.heard[-1].seconds == STOP_SECONDS
    assert len(http.events(B)) == len(http.events(C)) == 1
    assert http.under_way == 0
    assert set(states(announcer).values()) == {"stopped"}
    await announcer.stop()
    assert len(http.heard) == 4


async def test_stop_waits_a_moment_for_all_trackers_together(autojump_clock, torrent):
    calls = 0

    async def dies(said: Announce) -> bytes:
        nonlocal calls
        calls += 1
        return await (good if calls <= 3 else silent)(said)

    http = FakeHttp(dict.fromkeys((A, B, C), dies))
    announcer = make(http, torrent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(announcer.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    await announcer.stop()
    assert trio.current_time() == 1 + STOP_SECONDS
    assert [heard.announce.event for heard in http.heard[3:]] == [AnnounceEvent.STOPPED] * 3


async def test_it_may_run_again(autojump_clock, torrent):
    http = FakeHttp({A: good})
    announcer = make(http, torrent)
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(announcer.run)
            await trio.sleep(1)
            await announcer.stop()
    assert [event for _, event in http.events(A)] == ["started", "stopped"] * 2


async def test_without_trackers_it_waits(autojump_clock, torrent):
    http = FakeHttp({})
    announcer = make(http, torrent, [["wss://a.example:80"]])
    with trio.move_on_after(10_000):
        await announcer.run()
    assert http.heard == []
    assert states(announcer) == {"wss://a.example:80": "not supported: wss"}


async def test_a_hostile_url_does_not_break_the_name_of_the_source(nursery, autojump_clock, torrent):
    url = "http://\u2100@[::1]/announce"  # urllib refuses to split it, httpx takes it
    http = FakeHttp({url: good})
    nursery.start_soon(make(http, torrent).run)
    await trio.sleep(1)
    assert torrent.found == [(0, "tracker [::1]")]


async def test_hundreds_of_trackers_are_announced_to(nursery, autojump_clock, torrent):
    http = FakeHttp({f"http://{number}.example/announce": silent for number in range(120)})
    nursery.start_soon(make(http, torrent).run)
    await trio.sleep(1)
    assert http.under_way == 50
    await trio.sleep(2 * ANNOUNCE_SECONDS)
    assert len({heard.url for heard in http.heard}) == 120


# -- both families, scrapes, and what else a tracker tells -----------------------------------------------------------


@attrs.define
class DualHttp:
    """A tracker with both kinds of addresses: each announce is answered after so many seconds, by family."""

    answers: dict[Family | None, tuple[float, bytes]]
    events: list[tuple[float, Family | None, str]] = attrs.field(factory=list)

    async def get(
        self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
    ) -> bytes:
        event = parse_announce(url.partition("?")[2].encode()).announce.event
        self.events.append((trio.current_time(), family, event.value))
        delay, body = self.answers[family]
        await trio.sleep(min(delay, seconds))
        if delay >= seconds:
            raise TrackerError("no answer in time")
        return body


def dual(http: DualHttp, torrent: Torrent, found: Found, seen: list[tuple[str, str]]) -> Announcer:
    return Announcer(
        tiers=Tiers([[A]], random=Random(1)),
        trackers=Trackers(http, None, list(Family)),
        names=lambda: [b"h" * 20],
        peer_id=b"p" * 20,
        port=6881,
        totals=torrent.totals,
        found=found,
        random=Random(2),
        seen_as=lambda voter, ours: seen.append((voter, ours)),
    )


async def test_the_peers_of_both_families_are_found_and_a_dead_one_delays_nothing(nursery, autojump_clock, torrent):
    v6 = encode({b"interval": 900, b"peers6": bytes(15) + b"\x05\x1a\xe1", b"external ip": b"\5\6\7\x08"})
    http = DualHttp({Family.IPV4: (1, GOOD), Family.IPV6: (20, v6)})
    found, seen = [], list[tuple[str, str]]()

    async def take(addresses: Sequence[Address], source: str) -> None:
        await trio.lowlevel.checkpoint()
        found.append((trio.current_time(), [str(address) for address in addresses]))

    announcer = dual(http, torrent, take, seen)
    nursery.start_soon(announcer.run)
    await trio.sleep(2)
    assert states(announcer) == {A: "working"}
    await trio.sleep(20)
    assert found == [(1, ["1.2.3.4:6881"]), (20, ["[::5]:6881"])]
    assert seen == [("a.example", "5.6.7.8")]
    assert announcer.status[0].peers == 2
    assert announcer.status[0].external_ip == "5.6.7.8"
    http.answers[Family.IPV6] = (100, b"")
    await trio.sleep(880)
    assert announcer.status[0].error is None
    announcer_events = {(family, event) for at, family, event in http.events if at > 800}
    assert announcer_events == {(Family.IPV4, ""), (Family.IPV6, "")}
    await announcer.stop()
    assert [event for *_, event in http.events[-2:]] == ["stopped", "stopped"]


async def test_a_tracker_fails_when_both_families_do(nursery, autojump_clock, torrent):
    http = DualHttp({Family.IPV4: (100, b""), Family.IPV6: (1, b"<html>")})
    announcer = dual(http, torrent, torrent.take, [])
    nursery.start_soon(announcer.run)
    await trio.sleep(2)
    assert states(announcer) == {A: "announcing"}
    await trio.sleep(ANNOUNCE_SECONDS)
    assert states(announcer) == {A: "failing"}


async def test_a_scrape_brings_figures_but_not_too_often(autojump_clock, torrent):
    class Counting(FakeHttp):
        async def get(
            self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
        ) -> bytes:
            await trio.sleep(1)
            scraped.append(url.partition("?")[0])
            if "a.example" not in url:
                raise TrackerError("no scrapes here")
            return encode({b"files": {b"h" * 20: {b"complete": 7, b"downloaded": 9}}})

    scraped: list[str] = []
    announcer = make(Counting({A: good, B: good}), torrent)
    await announcer.scrape()
    await announcer.scrape()
    assert sorted(scraped) == [A.replace("announce", "scrape"), B.replace("announce", "scrape")]
    assert trio.current_time() == 1
    first, second = announcer.status
    assert (first.seeders, first.leechers, first.downloaded) == (7, None, 9)
    assert (second.seeders, second.error) == (None, None)


# -- the two names of a hybrid ---------------------------------------------------------------------------------------

ONE, TWO = b"1" * 20, b"2" * 20


def by_name(http: FakeHttp) -> dict[bytes, list[tuple[float, str]]]:
    found: dict[bytes, list[tuple[float, str]]] = {}
    for heard in http.heard:
        found.setdefault(heard.announce.info_hash, []).append((heard.at, heard.announce.event.value))
    return found


def only(name: bytes, refusal: bytes = b"d14:failure reason14:not registerede") -> Tracker:
    """It knows just one of the two."""

    async def tracker(said: Announce) -> bytes:
        await trio.lowlevel.checkpoint()
        return GOOD if said.info_hash == name else refusal

    return tracker


async def test_each_name_of_a_hybrid_has_its_own_announces(autojump_clock, torrent):
    http = FakeHttp({A: good})
    announcer = make(http, torrent, names=[ONE, TWO])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(announcer.run)
        await trio.sleep(100)
        torrent.left = 0
        announcer.completed()
        await trio.sleep(1000)
        await announcer.stop()
    events = [(0, "started"), (100, "completed"), (1000, ""), (1100, "stopped")]
    assert by_name(http) == {ONE: events, TWO: events}
    assert len({heard.announce.key for heard in http.heard}) == 1


async def test_a_tracker_that_has_one_of_the_names_works(autojump_clock, torrent):
    """Many that have lists of what they serve do not know v2. What is refused for now is tried again each time."""
    http = FakeHttp({A: only(ONE)})
    announcer = make(http, torrent, names=[ONE, TWO])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(announcer.run)
        await trio.sleep(1000)
        (told,) = announcer.status
        assert (told.state, told.error, told.peers) == ("working", None, 1)
        await announcer.stop()
    assert by_name(http) == {
        ONE: [(0, "started"), (900, ""), (1000, "stopped")],
        TWO: [(0, "started"), (900, "started")],
    }


async def test_a_name_that_never_will_be_welcome_is_not_said_again(nursery, autojump_clock, torrent):
    http = FakeHttp({A: only(TWO, b"d14:failure reason3:no!8:retry in5:nevere")})
    announcer = make(http, torrent, names=[ONE, TWO])
    nursery.start_soon(announcer.run)
    await trio.sleep(2000)
    assert by_name(http) == {ONE: [(0, "started")], TWO: [(0, "started"), (900, ""), (1800, "")]}
    assert states(announcer) == {A: "working"}


async def test_a_tracker_fails_when_it_answers_to_neither_name(nursery, autojump_clock, torrent):
    http = FakeHttp({A: broken})
    announcer = make(http, torrent, names=[ONE, TWO])
    nursery.start_soon(announcer.run)
    await trio.sleep(1)
    assert announcer.status[0].state == "failing"
    heard = by_name(http)
    assert heard[ONE] == heard[TWO] == [(0, "started")]


async def test_when_neither_name_will_ever_be_welcome_nothing_more_is_said(nursery, autojump_clock, torrent):
    answers = {ONE: silent, TWO: says(b"d14:failure reason3:no!8:retry in5:nevere")}

    async def tracker(said: Announce) -> bytes:
        return await answers[said.info_hash](said)

    announcer = make(http := FakeHttp({A: tracker}), torrent, names=[ONE, TWO])
    nursery.start_soon(announcer.run)
    await trio.sleep(ANNOUNCE_SECONDS + 1)
    assert announcer.status[0].state == "failing"  # the other may be
    answers[ONE] = answers[TWO]
    await trio.sleep(50_000)
    assert announcer.status[0].state == "told us not to come back"
    assert {name: len(events) for name, events in by_name(http).items()} == {ONE: 2, TWO: 1}


async def test_a_name_that_is_learned_later_begins_then(nursery, autojump_clock, torrent):
    names = [ONE]
    http = FakeHttp({A: good})
    announcer = make(http, torrent, names=names)
    nursery.start_soon(announcer.run)
    await trio.sleep(100)
    names.append(TWO)
    announcer.announce_now()
    await trio.sleep(1)
    assert by_name(http) == {ONE: [(0, "started"), (100, "")], TWO: [(100, "started")]}


async def test_a_scrape_is_for_both_names(autojump_clock, torrent):
    class Counting(FakeHttp):
        async def get(
            self, url: str, *, limit: int, seconds: float, local: Local = Local.NEVER, family: Family | None = None
        ) -> bytes:
            await trio.lowlevel.checkpoint()
            assert url.count("info_hash=") == 2
            return encode(
                {b"files": {ONE: {b"complete": 7, b"incomplete": 1}, TWO: {b"complete": 5, b"downloaded": 9}}}
            )

    announcer = make(Counting({A: good}), torrent, names=[ONE, TWO])
    await announcer.scrape()
    (told,) = announcer.status
    assert (told.seeders, told.leechers, told.downloaded) == (7, 1, 9)
