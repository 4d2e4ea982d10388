"""A torrent, and those who tell it where they see it: peers, trackers and the DHT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest
import trio

from tests.fakedht import known_dht
from tests.payload import random_bytes, single, write
from tests.simnet import Host, Network, join
from trio_torrent.address import Address
from trio_torrent.bencode import decode, encode
from trio_torrent.client.metainfo import Metainfo
from trio_torrent.client.settings import Settings
from trio_torrent.net.asking import Heard
from trio_torrent.swarm.mirror import Mirror
from trio_torrent.tracker.announce import Announce, Answer, Counts

PAYLOAD = random_bytes(100_000)
US, ONE, TWO = Address("5.6.7.8", 6881), Address("8.1.1.1", 1), Address("8.1.1.2", 2)


@attrs.frozen
class SeeingTrackers:
    """They all see the same."""

    where: str
    silenced: Mapping[str, str] = attrs.field(factory=dict)

    async def announce(self, url: str, said: Announce, heard: Heard, *, seconds: float = 30) -> None:
        await trio.lowlevel.checkpoint()
        await heard(Answer(900, None, (), 0, 0, None, None, self.where))

    async def scrape(self, url: str, info_hashes: Sequence[bytes]) -> Mapping[bytes, Counts]:
        raise NotImplementedError


def torrent(*trackers: str) -> Metainfo:
    whole = decode(single(PAYLOAD).to_bytes(), max_depth=10)
    assert isinstance(whole, dict)
    whole[b"announce-list"] = [[url.encode()] for url in trackers]
    return Metainfo.from_bytes(encode(whole))


@pytest.mark.parametrize("source", ["torrent", "link"])
async def test_two_peers_and_the_dht_are_enough(nursery, tmp_path: Path, autojump_clock, source: str):
    network, mirror, metainfo = Network(nursery), Mirror(US.port), torrent()
    seed = write(tmp_path / "seed", {"payload.bin": PAYLOAD})
    for where in (ONE, TWO):
        join(network, nursery, Host(where), metainfo, seed)
    dht = known_dht(batches=((ONE, TWO),), external=(US.host,))
    what = metainfo if source == "torrent" else metainfo.magnet
    ours = join(network, nursery, Host(US), what, tmp_path / "get", dht=dht, mirror=mirror)
    with trio.fail_after(60):
        await ours.torrent.wait_complete()
    assert mirror.addresses == (US,)
    assert ours.boundary.unexpected == 0
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("proxy", "seen"), [(None, (US,)), ("http://proxy.example:3128", ())])
async def test_trackers_tell_unless_they_see_a_proxy(nursery, tmp_path: Path, autojump_clock, proxy, seen):
    network, mirror = Network(nursery), Mirror(US.port)
    metainfo = torrent(*(f"http://{name}.example/announce" for name in "abc"))
    join(
        network,
        nursery,
        Host(US),
        metainfo,
        tmp_path,
        settings=Settings(proxy=proxy),
        trackers=SeeingTrackers(US.host),
        mirror=mirror,
    )
    await trio.sleep(5)
    assert mirror.addresses == seen
    nursery.cancel_scope.cancel()
