"""Asking UDP trackers: scripted ones on real sockets of the loopback interface, in virtual time."""

import struct
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import pytest
import trio

from tests.udptracker import ANNOUNCE, CONNECT, ID, SCRAPE, Heard, Script, answer, good, udp_tracker
from trio_torrent.address import Address
from trio_torrent.errors import TrackerError
from trio_torrent.net.reach import Family, NoAddressError
from trio_torrent.net.udp_tracker import MAX_QUESTIONS, UdpTrackers
from trio_torrent.tracker.announce import Announce, AnnounceEvent, Answer, Counts, Refused

SAID = Announce(b"h" * 20, b"p" * 20, 6881, 1, 2, 3, AnnounceEvent.STARTED, 4, 50, None)
V4 = Family.IPV4


def names(**table: Sequence[str]) -> Callable[[str], Awaitable[Sequence[str]]]:
    async def lookup(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        return table[host.partition(".")[0]]

    return lookup


def make(*, allow_local: bool = False, interface: str | None = None, **table: Sequence[str]) -> UdpTrackers:
    return UdpTrackers(lookup=names(**table), random=Random(1), allow_local=allow_local, interface=interface)


async def announce(url: str, *, seconds: float = 30, udp: UdpTrackers | None = None) -> Answer:
    return await (udp or make()).announce(url, SAID, seconds=seconds, family=V4)


async def failure(url: str, *, udp: UdpTrackers | None = None) -> str:
    with pytest.raises(TrackerError) as caught:
        await announce(url, udp=udp)
    assert str(caught.value).isprintable()
    return str(caught.value)


async def test_an_announce(autojump_clock):
    async with udp_tracker() as tracker:
        said = await announce(tracker.url("/announce?key=x"), udp=make(allow_local=True))
    assert said.peers == (Address("1.2.3.4", 6881),)
    assert (said.interval, said.leechers, said.seeders) == (900, 3, 4)
    assert tracker.actions == [CONNECT, ANNOUNCE]
    assert tracker.heard[1].connection == ID
    assert tracker.heard[1].data[98:] == b"\x02\x0f/announce?key=x"
    assert tracker.times == [0, 0]


async def test_an_announce_over_ipv6(autojump_clock):
    peer = b"\x20\x01" + bytes(13) + b"\x05\x1a\xe1"

    def script(heard: Heard) -> Sequence[bytes]:
        return [heard.reply(answer(peer))] if heard.action == ANNOUNCE else good(heard)

    async with udp_tracker(script, host="::1") as tracker:
        said = await make().announce(tracker.url(), SAID, seconds=30, family=Family.IPV6)
        with pytest.raises(NoAddressError, match="no IPv4 address"):
            await announce(tracker.url())
    assert said.peers == (Address("2001::5", 6881),)


async def test_a_scrape(autojump_clock):
    async with udp_tracker() as tracker:
        counted = await make().scrape(tracker.url(), [b"a" * 20, b"b" * 20])
    assert counted == {b"a" * 20: Counts(4, 3, 5), b"b" * 20: Counts(4, 3, 5)}
    assert tracker.actions == [CONNECT, SCRAPE]


def loses(count: int) -> Script:
    """The first so many of each kind of request are lost."""
    seen = [0, 0, 0]

    def script(heard: Heard) -> Sequence[bytes]:
        seen[heard.action] += 1
        return good(heard) if seen[heard.action] > count else []

    return script


async def test_lost_datagrams_are_sent_again(autojump_clock):
    async with udp_tracker(loses(2)) as tracker:
        assert (await announce(tracker.url())).peers
    assert tracker.actions == [CONNECT] * 3 + [ANNOUNCE] * 3
    assert tracker.times == pytest.approx([0, 2, 6, 6, 8, 12])


async def test_a_silent_tracker_is_left_at_the_deadline(autojump_clock):
    async with udp_tracker(lambda heard: []) as tracker:
        assert await failure(tracker.url()) == "127.0.0.1: no answer within 30 s"
        assert trio.current_time() == pytest.approx(30)
    assert tracker.times == pytest.approx([0, 2, 6, 14])


async def test_nobody_there_is_known_at_once():
    async with udp_tracker() as tracker:
        url = tracker.url()
    with trio.fail_after(5):
        assert await failure(url) == "127.0.0.1: Connection refused"


GARBAGE: dict[str, Script] = {
    "another transaction": lambda heard: [heard.action.to_bytes(4) + b"nope" + bytes(100)],
    "short replies": lambda heard: [b"", b"\0", heard.reply()[:7], heard.reply(bytes(7))],
    "another action": lambda heard: [heard.reply(bytes(40), action=1 - min(heard.action, 1))],
    "noise": lambda heard: [Random(n).randbytes(n) for n in range(0, 2000, 7)],
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_garbage_is_as_good_as_lost(autojump_clock, what):
    """And does not keep the answer from being heard."""
    async with udp_tracker(lambda heard: [*GARBAGE[what](heard), *good(heard)]) as tracker:
        assert (await announce(tracker.url())).peers
        tracker.script = GARBAGE[what]
        await failure(tracker.url())


async def test_a_flood_delays_nobody_for_ever(autojump_clock):
    async with udp_tracker(lambda heard: [b"x" * 1000] * 500) as tracker:
        assert "no answer within 30 s" in await failure(tracker.url())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9"])
async def test_what_others_send_is_not_heard(autojump_clock, host):
    """Although it has the right transaction: from the tracker's own host, or another."""
    async with udp_tracker(lambda heard: []) as tracker, trio.open_nursery() as nursery:
        nursery.start_soon(failure, tracker.url())
        await trio.sleep(1)
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as stranger:
            await stranger.bind((host, 0))
            await stranger.sendto(tracker.heard[0].reply(ID.to_bytes(8)), ("127.0.0.1", tracker.from_ports[0]))
    assert tracker.actions == [CONNECT] * 4


async def test_an_error_is_told(autojump_clock):
    async with udp_tracker(lambda heard: [heard.reply(b"not registered\0\x1b[31m", action=3)]) as tracker:
        with pytest.raises(Refused, match=r"^not registered \[31m$"):
            await announce(tracker.url())
    assert trio.current_time() == 0


async def test_two_thousand_peers(autojump_clock):
    def script(heard: Heard) -> Sequence[bytes]:
        peers = [struct.pack(">IH", 0x01000000 + n, 1) for n in range(2000)]
        return [heard.reply(answer(*peers))] if heard.action == ANNOUNCE else good(heard)

    async with udp_tracker(script) as tracker:
        assert len((await announce(tracker.url())).peers) == 2000


async def test_a_connection_serves_for_a_minute(autojump_clock):
    udp = make()
    async with udp_tracker() as tracker:
        for _ in range(2):
            await announce(tracker.url(), udp=udp)
        await trio.sleep(60)
        await announce(tracker.url(), udp=udp)
    assert tracker.actions == [CONNECT, ANNOUNCE, ANNOUNCE, CONNECT, ANNOUNCE]


@pytest.mark.parametrize("how", ["error", "silence"])
async def test_a_connection_that_the_tracker_forgot_is_made_anew(autojump_clock, how):
    current = ID

    def script(heard: Heard) -> Sequence[bytes]:
        if heard.action == CONNECT:
            return [heard.reply(current.to_bytes(8))]
        if heard.connection == current:
            return good(heard)
        return [heard.reply(b"bad connection id", action=3)] if how == "error" else []

    udp = make()
    async with udp_tracker(script) as tracker:
        await announce(tracker.url(), udp=udp)
        current += 1
        assert (await announce(tracker.url(), udp=udp)).peers
        assert (await announce(tracker.url(), udp=udp)).peers
    assert tracker.actions == [CONNECT, ANNOUNCE, ANNOUNCE, CONNECT, ANNOUNCE, ANNOUNCE]


async def test_of_several_addresses_each_has_its_share_of_the_time(autojump_clock):
    async with udp_tracker(lambda heard: []) as silent, udp_tracker(host="127.0.0.2", port=silent.port) as tracker:
        udp = make(name=["127.0.0.1", "127.0.0.2"])
        said = await announce(f"udp://name.example:{silent.port}", udp=udp)
    assert said.peers
    assert tracker.times[0] == pytest.approx(15)


async def test_an_address_where_nobody_is_costs_nothing(autojump_clock):
    async with udp_tracker(host="127.0.0.2") as tracker:
        udp = make(name=["127.0.0.1", "127.0.0.2"])
        assert (await announce(f"udp://name.example:{tracker.port}", udp=udp)).peers
    assert trio.current_time() < 1


async def test_the_first_error_is_told_if_none_answers(autojump_clock):
    udp = make(name=["127.0.0.1", "127.0.0.2"])
    assert await failure("udp://name.example:1/announce", udp=udp) == "name.example: Connection refused"


async def test_it_asks_from_the_interface(autojump_clock):
    async with udp_tracker() as tracker:
        addresses = []
        recvfrom = tracker.socket.recvfrom

        async def spy(*args, **kwargs):
            data, address = await recvfrom(*args, **kwargs)
            addresses.append(address[0])
            return data, address

        tracker.socket.recvfrom = spy  # type: ignore[method-assign]
        udp = make(interface="127.0.0.7")
        await announce(tracker.url(), udp=udp)
        await udp.scrape(tracker.url(), [b"a" * 20])
        assert "local" in (await failure(tracker.url("/x"), udp=udp))
    assert set(addresses) == {"127.0.0.7"}


async def test_no_more_than_so_many_are_asked_at_once(autojump_clock):
    async with udp_tracker(lambda heard: []) as tracker, trio.open_nursery() as nursery:
        udp = make()
        for _ in range(MAX_QUESTIONS + 20):
            nursery.start_soon(failure_of, udp, tracker.url())
        await trio.sleep(1)
        assert len(set(tracker.from_ports)) == MAX_QUESTIONS
        await trio.sleep(30)
        assert len(set(tracker.from_ports)) > MAX_QUESTIONS
        nursery.cancel_scope.cancel()


async def failure_of(udp: UdpTrackers, url: str) -> None:
    await failure(url, udp=udp)


# -- where it may lead -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/announce", "/KEY/announce"])
async def test_a_plain_url_may_lead_to_this_machine(autojump_clock, path):
    async with udp_tracker() as tracker:
        assert (await announce(tracker.url(path))).peers


@pytest.mark.parametrize("path", ["/announce?x=y", "/?x", "?x", "/reboot", "/announce/x", "/x%2Fannounce"])
async def test_any_other_url_may_not(autojump_clock, path):
    async with udp_tracker() as tracker:
        for url in (tracker.url(path), f"udp://name.example:{tracker.port}{path}"):
            assert "local network" in await failure(url, udp=make(name=["127.0.0.1"]))
        assert tracker.heard == []
        assert (await announce(tracker.url(path), udp=make(allow_local=True))).peers


@pytest.mark.parametrize("address", ["224.0.0.251", "239.255.255.250"])
@pytest.mark.parametrize("allow_local", [False, True])
async def test_no_group_of_hosts_is_asked(address, allow_local):
    assert "group of hosts" in await failure(f"udp://{address}:1900/announce", udp=make(allow_local=allow_local))


async def test_all_hosts_of_a_network_are_not_asked():
    assert await failure("udp://255.255.255.255:1/announce") == "255.255.255.255: Permission denied"


async def test_what_answers_but_is_no_tracker_learns_nothing(autojump_clock):
    """An echo, as of port 7, is sent the same 16 bytes again and nothing else."""
    async with udp_tracker(lambda heard: [heard.data]) as echo:
        await failure(echo.url("/KEY/announce"))
    assert {heard.data for heard in echo.heard} == {echo.heard[0].data}
    assert len(echo.heard[0].data) == 16


async def test_a_name_that_cannot_be_looked_up():
    async def nowhere(host: str) -> Sequence[str]:
        await trio.lowlevel.checkpoint()
        raise OSError(-2, "Name or service not known")

    udp = UdpTrackers(lookup=nowhere, random=Random(1), allow_local=False, interface=None)
    assert (await failure("udp://name.example:1", udp=udp)).startswith("name.example: cannot be looked up")


@pytest.mark.parametrize("url", ["udp://h", "udp://[::1", "udp://h:99999/"])
async def test_hostile_urls_are_tracker_errors(url):
    await failure(url)


async def test_whoever_has_been_cancelled_asks_nobody(autojump_clock):
    """Then the time that is left is less than none."""
    async with udp_tracker() as tracker:
        for checkpoints in range(4):
            with trio.CancelScope() as scope:
                if not checkpoints:
                    scope.cancel()
                scope.deadline = trio.current_time() + checkpoints
                await announce(tracker.url(), udp=make(tracker=[tracker.host]))
            assert scope.cancelled_caught is (checkpoints == 0)
    assert tracker.times == [0] * len(tracker.times)
