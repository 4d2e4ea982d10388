"""Which of a host's addresses may be contacted. `test_http` and `test_udp_tracker` have the rest of it."""

from collections.abc import Sequence

import pytest
import trio

from trio_torrent.errors import TrackerError
from trio_torrent.net.reach import MAX_ADDRESSES, Family, NoAddressError, reach, sounds_local

GLOBAL = ["93.184.216.34", "2606:2800:220:1::1"]


def finds(*addresses: str):
    async def lookup(host: str) -> Sequence[str]:
        assert host == "name.example"
        await trio.lowlevel.checkpoint()
        return addresses

    return lookup


async def test_both_families_unless_one_is_wished():
    lookup = finds(*GLOBAL)
    assert await reach("name.example", lookup) == GLOBAL
    assert await reach("name.example", lookup, family=Family.IPV4) == GLOBAL[:1]
    assert await reach("name.example", lookup, family=Family.IPV6) == GLOBAL[1:]


async def test_an_address_is_not_looked_up():
    assert await reach("2606:2800:220:0001::1", finds(), family=Family.IPV6) == GLOBAL[1:]
    with pytest.raises(NoAddressError, match=r"^93.184.216.34 has no IPv6 address$"):
        await reach(GLOBAL[0], finds(), family=Family.IPV6)


async def test_a_name_without_addresses():
    with pytest.raises(NoAddressError, match=r"^name.example has no address$"):
        await reach("name.example", finds())


async def test_local_addresses_are_left_out_unless_they_are_allowed():
    lookup = finds("127.0.0.1", GLOBAL[0], "fe80::1%1")
    assert await reach("name.example", lookup) == GLOBAL[:1]
    assert await reach("name.example", lookup, may_stay=True) == ["127.0.0.1", GLOBAL[0], "fe80::1%1"]
    with pytest.raises(TrackerError, match="local network"):
        await reach("name.example", lookup, family=Family.IPV6)


async def test_no_more_than_a_few_addresses_are_tried():
    lookup = finds(*(f"93.184.216.{n}" for n in range(50)))
    assert len(await reach("name.example", lookup)) == MAX_ADDRESSES


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "router",
        "x.localhost",
        "nas.local",
        "a.b.lan",
        "x.internal",
        "10.0.0.1",
        "::1",
        "[::1]",
    ],
)
def test_what_sounds_local(host):
    assert sounds_local(host)


@pytest.mark.parametrize("host", ["tracker.example", "local.example", "93.184.216.34", "2606:2800:220:1::1"])
def test_what_does_not(host):
    assert not sounds_local(host)
