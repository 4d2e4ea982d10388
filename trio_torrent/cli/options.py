"""The options that commands share. Each can be given by an environment variable, too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import attrs
import click

from .params import DURATION, INTERFACE, PEER, PIECE_LENGTH, PROXY, RATE, RATIO, TEXT, TIER, WEB_SEED

if TYPE_CHECKING:
    from trio_torrent import Address, Settings

    from .exits import Exit

# Leaving takes at most this long: someone who pressed Ctrl-C is waiting, and a tracker that does not answer within
# a second or two will have to forget us by itself.
STOP_SECONDS = 1.5

DEFAULT_PORT = 6881  # where people's routers forward to by habit
DEFAULT_PEERS = 50

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Decorator(Protocol):
    """What click.option gives."""

    def __call__(self, function: _Function, /) -> _Function:
        """The same function, with something noted on it."""


@attrs.frozen(kw_only=True)
class Network:
    """How to reach peers, as asked for."""

    peers: tuple[Address, ...] = ()
    port: int = DEFAULT_PORT
    interface: str | None = None
    max_peers: int = DEFAULT_PEERS
    trackers: bool = True
    dht: bool = True
    dht_routers: tuple[Address, ...] = ()  # none: those that everybody asks
    lsd: bool = True
    pex: bool = True
    limit_down: int | None = None  # bytes a second, for all torrents together
    limit_up: int | None = None
    proxy: str | None = None

    def settings(self) -> Settings:
        """The same for a client."""
        from trio_torrent import Settings

        return Settings(
            port=self.port,
            interface=self.interface,
            connections=self.max_peers,
            connections_in_all=max(self.max_peers, Settings().connections_in_all),
            trackers=self.trackers,
            dht=self.dht,
            dht_routers=self.dht_routers or Settings().dht_routers,
            state_folder=user_state_folder(),
            lsd=self.lsd,
            pex=self.pex,
            limit_down=self.limit_down,
            limit_up=self.limit_up,
            proxy=self.proxy,
            stop_seconds=STOP_SECONDS,
        )


@attrs.frozen(kw_only=True)
class Data:
    """How the data is treated. The names are those of `Client.add` and `Settings`."""

    select: tuple[str, ...] = ()  # nothing is all
    sequential: bool = False
    overwrite: bool = False
    trust_record: bool = True
    allocation: Literal["sparse", "full"] = "sparse"
    state_folder: Path | None = None


@attrs.frozen(kw_only=True)
class SeedLimits:
    """When to stop seeding: at the first limit that is reached, or never."""

    ratio: float | None = None  # bytes uploaded to bytes of the torrent
    seconds: float | None = None

    def __bool__(self) -> bool:
        return self.ratio is not None or self.seconds is not None

    def reached(self, *, uploaded: int, size: int, seconds: float) -> bool:
        """Whether it is enough, after so many bytes and seconds of seeding."""
        enough = self.ratio is not None and uploaded >= self.ratio * size
        return enough or (self.seconds is not None and seconds >= self.seconds)


@attrs.frozen(kw_only=True)
class Recipe:
    """What makes a torrent, besides the files. The names are those of `Metainfo.create`."""

    version: Literal["1", "2", "hybrid"] = "hybrid"
    piece_length: int | None = None  # bytes; None to choose by size
    trackers: tuple[tuple[str, ...], ...] = ()
    web_seeds: tuple[str, ...] = ()
    private: bool = False
    comment: str = ""
    source: str = ""
    creation_date: int | None = None  # seconds since 1970


def option(*names: str, **attributes: Any) -> Decorator:  # noqa: ANN401 - whatever click takes
    """An option that `TRIO_TORRENT_` and its long name stand for in the environment."""
    long = next(name for name in names if name.startswith("--")).removeprefix("--")
    return click.option(*names, envvar=f"TRIO_TORRENT_{long.replace('-', '_').upper()}", **attributes)


def _all_of(*decorators: Decorator) -> Decorator:
    """In the order in which they are to be listed."""

    def decorate(function: _Function, /) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def folder_option(*names: str, help: str, exists: bool = False) -> Decorator:
    """A folder, the current one by default."""
    kind = click.Path(file_okay=False, exists=exists, path_type=Path)
    return option(*names, type=kind, default=Path(), help=help, metavar="DIR")


json_option = option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, sizes in bytes.")

output_options = _all_of(
    json_option,
    option("--quiet", "-q", is_flag=True, help="No progress, errors only."),
)

# For every command that may ask by HTTP: one that overlooked it would give away what the others hide.
proxy_option = option(
    "--proxy",
    type=PROXY,
    help="http:// or socks5://[USER:PASSWORD@]HOST:PORT, for .torrent URLs and HTTP trackers. UDP trackers are then "
    "not asked. Peers are reached without it.",
)

port_option = option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="N",
    help="Port for peers to reach us at, TCP, and for the DHT, UDP; 0 takes any that is free.",
)

interface_option = option("--interface", type=INTERFACE, help="Local IP address to listen on and to connect from.")

router_option = option(
    "--dht-router",
    "dht_routers",
    type=PEER,
    multiple=True,
    help="Find the way into the DHT by this node, not by those that everybody asks. Repeatable.",
)

# For commands that only connect.
peer_options = _all_of(
    option("--peer", "peers", type=PEER, multiple=True, help="Connect to this peer at once. Repeatable."),
    interface_option,
)

_network_options = _all_of(
    peer_options,
    port_option,
    option(
        "--max-peers",
        type=click.IntRange(min=1),
        default=DEFAULT_PEERS,
        show_default=True,
        metavar="N",
        help="Connections for each torrent.",
    ),
    option("--limit-down", type=RATE, help="Receive at most so many bytes a second: 500K, 2M; 0 is no limit."),
    option("--limit-up", type=RATE, help="Send at most so many bytes a second, over all torrents."),
    option("--no-trackers", is_flag=True, help="Announce to no tracker."),
    option("--no-dht", is_flag=True, help="Find no peers in the DHT."),
    router_option,
    option("--no-lsd", is_flag=True, help="Do not look for peers in the local network."),
    option("--no-pex", is_flag=True, help="Exchange no addresses with peers."),
    proxy_option,
)

_seed_options = _all_of(
    option("--seed-ratio", type=RATIO, help="Seed until R times the torrent's size has been uploaded."),
    option("--seed-time", type=DURATION, help="Seed for so long: 90, 30s, 5m, 2h."),
)


state_option = option(
    "--state",
    "state_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where is kept what is known of the data, so that it need not be checked again; the system's folder for such "
    "things by default.",
)

_data_options = _all_of(
    option(
        "--select",
        "-s",
        multiple=True,
        metavar="WHICH",
        help="Only these files: 1,3-5 as --list numbers them, or a pattern such as '*.iso'. Repeatable.",
    ),
    option("--sequential", is_flag=True, help="Fetch the first pieces first."),
    option(
        "--allocate",
        "allocation",
        type=click.Choice(["sparse", "full"]),
        default="sparse",
        show_default=True,
        help="full has the disk set aside all that the files will need before the download begins.",
    ),
    option("--force", "overwrite", is_flag=True, help="Write over other files that are in the way."),
    state_option,
)

_recipe_options = _all_of(
    option(
        "--tracker",
        "-t",
        "trackers",
        type=TIER,
        multiple=True,
        help="Announce URL: http, https, udp, ws or wss. Repeatable, each a tier; with commas between them, one tier.",
    ),
    option("--web-seed", "-w", "web_seeds", type=WEB_SEED, multiple=True, help="http(s) URL of the data. Repeatable."),
    option("--v1", is_flag=True, help="For clients of any age."),
    option("--v2", is_flag=True, help="For clients that know BEP 52 only: SHA-256, and each file has its own hash."),
    option("--hybrid", is_flag=True, help="Both; the default."),
    option("--piece-length", "-l", type=PIECE_LENGTH, help="A power of two from 16K; by default chosen by size."),
    option("--private", "-p", is_flag=True, help="Peers are to come from the trackers only."),
    option("--comment", "-c", type=TEXT, default="", help="For whoever looks at the torrent."),
    option("--source", "-s", type=TEXT, default="", help="For trackers that want it; changes the info-hash."),
    option("--no-date", is_flag=True, help="Leave out when it was made: the same data gives the same bytes."),
)


def network_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For commands that take part in a swarm. They arrive as one `network`."""

    @wraps(command)
    def collect(
        *,
        peers: tuple[Address, ...],
        interface: str | None,
        port: int,
        max_peers: int,
        limit_down: int | None,
        limit_up: int | None,
        no_trackers: bool,
        no_dht: bool,
        dht_routers: tuple[Address, ...],
        no_lsd: bool,
        no_pex: bool,
        proxy: str | None,
        **others: Any,  # noqa: ANN401
    ) -> Exit:
        network = Network(
            peers=peers,
            interface=interface,
            port=port,
            max_peers=max_peers,
            trackers=not no_trackers,
            dht=not no_dht,
            dht_routers=dht_routers,
            lsd=not no_lsd,
            pex=not no_pex,
            limit_down=limit_down,
            limit_up=limit_up,
            proxy=proxy,
        )
        return command(network=network, **others)

    return _network_options(collect)


_dht_options = _all_of(
    interface_option,
    port_option,
    router_option,
    option(
        "--timeout",
        type=DURATION,
        default="30s",
        show_default=True,
        help="How long it may take, finding the way into the DHT included.",
    ),
    output_options,
)


def dht_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For commands that ask the DHT alone. They arrive as one `network`."""

    @wraps(command)
    def collect(
        *,
        interface: str | None,
        port: int,
        dht_routers: tuple[Address, ...],
        **others: Any,  # noqa: ANN401
    ) -> Exit:
        return command(network=Network(interface=interface, port=port, dht_routers=dht_routers), **others)

    return _dht_options(collect)


def data_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For downloads. They arrive as one `data`."""

    @wraps(command)
    def collect(
        *,
        select: tuple[str, ...],
        sequential: bool,
        allocation: Literal["sparse", "full"],
        overwrite: bool,
        state_folder: Path | None,
        **others: Any,  # noqa: ANN401
    ) -> Exit:
        data = Data(
            select=select,
            sequential=sequential,
            allocation=allocation,
            overwrite=overwrite,
            state_folder=state_folder or user_state_folder(),
        )
        return command(data=data, **others)

    return _data_options(collect)


def user_state_folder() -> Path:
    """Where programs keep what they would like to find again."""
    from platformdirs import user_state_path

    return user_state_path("trio-torrent", appauthor=False)


def seed_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For commands that may go on seeding. They arrive as one `limits`."""

    @wraps(command)
    def collect(*, seed_ratio: float | None, seed_time: float | None, **others: Any) -> Exit:  # noqa: ANN401
        return command(limits=SeedLimits(ratio=seed_ratio, seconds=seed_time), **others)

    return _seed_options(collect)


def recipe_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For making a torrent. They arrive as one `recipe`."""

    @wraps(command)
    def collect(
        *,
        trackers: tuple[tuple[str, ...], ...],
        web_seeds: tuple[str, ...],
        v1: bool,
        v2: bool,
        hybrid: bool,
        piece_length: int | None,
        private: bool,
        comment: str,
        source: str,
        no_date: bool,
        **others: Any,  # noqa: ANN401
    ) -> Exit:
        if v1 + v2 + hybrid > 1:
            raise click.UsageError("--v1, --v2 and --hybrid exclude one another")
        recipe = Recipe(
            version="1" if v1 else "2" if v2 else "hybrid",
            piece_length=piece_length,
            trackers=trackers,
            web_seeds=web_seeds,
            private=private,
            comment=comment,
            source=source,
            creation_date=None if no_date else int(datetime.now(UTC).timestamp()),
        )
        return command(recipe=recipe, **others)

    return _recipe_options(collect)
