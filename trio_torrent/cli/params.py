"""What people write after an option: sizes, durations, addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping

import click

from trio_torrent import Address

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_DURATIONS = {"": 1, "S": 1, "M": 60, "H": 3600}


class Size(click.ParamType):
    """Bytes, at least 1, with K, M or G for powers of 1024: `512`, `256M`, `1.5G`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """An int passes as it is, as defaults do."""
        size = value if isinstance(value, int) else int(_scaled(str(value), _SIZES) or 0)
        if size < 1:
            self.fail(f"{value!r} is not a size: write bytes, or 512K, 256M, 2G.", param, ctx)
        return size


class Duration(click.ParamType):
    """Seconds, with s, m or h: `90`, `30s`, `5m`, `2h`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A float passes as it is, as defaults do."""
        seconds = value if isinstance(value, float) else _scaled(str(value), _DURATIONS)
        if seconds is None:
            self.fail(f"{value!r} is not a duration: write seconds, or 30s, 5m, 2h.", param, ctx)
        return seconds


class Ratio(click.ParamType):
    """A number from 0 up."""

    name = "r"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A float passes as it is, as defaults do."""
        ratio = value if isinstance(value, float) else _scaled(str(value), {"": 1})
        if ratio is None:
            self.fail(f"{value!r} is not a ratio: write a number such as 1.5.", param, ctx)
        return ratio


class PeerAddress(click.ParamType):
    """`HOST:PORT` or `[IPV6]:PORT`."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """An Address passes as it is."""
        if isinstance(value, Address):
            return value
        try:
            return Address.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Interface(click.ParamType):
    """An IP address of this machine."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Binding to it is the one sure way to find out whether it is ours."""
        try:
            address = ipaddress.ip_address(str(value))
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((str(address), 0))
        except (ValueError, OSError):
            self.fail(f"{value!r} is not an IP address of this machine.", param, ctx)
        return str(address)


SIZE, DURATION, RATIO, PEER, INTERFACE = Size(), Duration(), Ratio(), PeerAddress(), Interface()


def _scaled(text: str, units: Mapping[str, int]) -> float | None:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)([A-Z]?)", text.strip().upper(), re.ASCII)
    return float(match[1]) * units[match[2]] if match and match[2] in units else None
