"""Knobs, and values that make no sense."""

import re
from random import Random

import attrs
import pytest

from trio_torrent.address import Address
from trio_torrent.client.client import make_peer_id
from trio_torrent.client.settings import PEER_ID_PREFIX, Settings


def test_the_defaults_make_sense():
    settings = Settings()
    assert settings == Settings()
    assert settings.threads >= 2
    assert settings.stop_seconds > 0
    assert settings.limit_down is settings.limit_up is None
    assert not settings.allow_local, "a torrent must not reach into the local network"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("port", -1, "port must be from 0 to 65535, not -1"),
        ("port", 65536, "port must be from 0 to 65535, not 65536"),
        ("connections", 0, "connections must be at least 1, not 0"),
        ("connections_in_all", 0, "connections_in_all must be at least 1, not 0"),
        ("upload_slots", 0, "upload_slots must be at least 1, not 0"),
        ("limit_down", 0, "limit_down must be at least 1, not 0"),
        ("limit_up", -1, "limit_up must be at least 1, not -1"),
        ("threads", -3, "threads must be at least 1, not -3"),
        ("interface", "localhost", "'localhost' does not appear to be an IPv4 or IPv6 address"),
        ("proxy", "ftp://host", "proxy must be http://HOST:PORT or socks5://HOST:PORT"),
        ("dht_routers", "router.example:6881", "'router.example:6881' is one address, and not several"),
        ("dht_routers", ["router.example"], "'router.example' is not HOST:PORT"),
        ("stop_seconds", -1.0, "stop_seconds must be at least 0, not -1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: float, complaint: str):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Settings(**{name: value})  # type: ignore[arg-type]  # which it is for some


@pytest.mark.parametrize(
    ("name", "value"), [("port", 0), ("port", 65535), ("connections", 1), ("limit_up", 1), ("stop_seconds", 0)]
)
def test_the_edges_are_fine(name: str, value: int):
    assert getattr(Settings(**{name: value}), name) == value  # type: ignore[arg-type]  # one of them is a float


def test_routers_can_be_written():
    written = Settings(dht_routers=["router.example:6881", Address("192.0.2.1", 1)])
    assert written.dht_routers == (Address("router.example", 6881), Address("192.0.2.1", 1))


def test_settings_are_a_value():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        Settings(6881)  # type: ignore[call-arg]  # by name only


def test_the_peer_id_says_which_client_and_version():
    """BEP 20, the Azureus style: a dash, two letters, four digits, a dash."""
    assert re.fullmatch(r"-TT\d{4}-", PEER_ID_PREFIX)


def test_every_peer_id_is_another():
    one, other = make_peer_id(Random(1)), make_peer_id(Random(2))
    assert one.startswith(PEER_ID_PREFIX.encode())
    assert one[8:] != other[8:]
    assert all(len(name) == 20 and re.fullmatch(rb"[-0-9A-Za-z]+", name) for name in (one, other))
