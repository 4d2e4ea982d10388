"""What people may write after an option."""

import click
import pytest

from trio_torrent import Address
from trio_torrent.cli.params import DURATION, INTERFACE, PEER, RATE, RATIO, SIZE


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        (" 7 ", 7),
        ("16K", 16384),
        ("1.5K", 1536),
        ("256M", 256 << 20),
        ("2g", 2 << 30),
        ("256KiB", 256 << 10),
        ("1.5 MiB", 3 << 19),
        ("1 gib", 1 << 30),
    ],
)
def test_sizes(text, size):
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30s", 30), ("5m", 300), ("2h", 7200), ("0.5s", 0.5), ("0", 0), ("1H", 3600)]
)
def test_durations(text, seconds):
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "x", "-1", "1T", "0", "0.5", "1e3", "nan", "inf", "1KB", "1iB", "KiB", "1  K", "٣", "9" * 400],
)
def test_no_sizes(text):
    with pytest.raises(click.BadParameter, match="is not a size: write bytes"):
        SIZE.convert(text, None, None)


@pytest.mark.parametrize("text", ["", "5d", "-1", "1:30", "nan", "inf", "5 minutes", "m"])
def test_no_durations(text):
    with pytest.raises(click.BadParameter, match="is not a duration"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("0", None), ("0K", None), ("0.0", None), ("1", 1), ("500K", 512_000), ("2M", 2 << 20), ("1.5m", 1_572_864)],
)
def test_rates(text, rate):
    assert RATE.convert(text, None, None) == rate


@pytest.mark.parametrize("text", ["", "x", "-1", "0.5", "1T", "1M/s", "unlimited", "inf", "nan"])
def test_no_rates(text):
    with pytest.raises(click.BadParameter, match="is not a rate: write bytes a second, or 500K, 2M; 0 is no limit"):
        RATE.convert(text, None, None)


def test_ratios():
    assert RATIO.convert("1.5", None, None) == 1.5
    for text in ("nan", "-1", "1K", "inf"):
        with pytest.raises(click.BadParameter, match="is not a ratio"):
            RATIO.convert(text, None, None)


def test_peers():
    assert PEER.convert("10.0.0.1:6881", None, None) == Address("10.0.0.1", 6881)
    assert PEER.convert("[::1]:1", None, None) == Address("::1", 1)
    with pytest.raises(click.BadParameter, match="not a port"):
        PEER.convert("host:0", None, None)


def test_an_interface_is_an_address_of_this_machine():
    assert INTERFACE.convert("127.0.0.1", None, None) == "127.0.0.1"
    for text in ("192.0.2.1", "eth0", "2001:db8::1"):  # addresses that are nobody's (RFC 5737, RFC 3849)
        with pytest.raises(click.BadParameter, match="not an IP address of this machine"):
            INTERFACE.convert(text, None, None)


def test_what_has_been_read_is_not_read_again():
    assert SIZE.convert(5, None, None) == 5
    assert DURATION.convert(0.25, None, None) == 0.25
