"""The options that commands share, and how those that belong together reach a command as one value of `wishes`.

Each can be given by an environment variable, too (`program.Option`). What they stand for is imported when a command
runs, so that `--help` does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import click

from .params import (
    COMMAND,
    DURATION,
    INTERFACE,
    PEER,
    PIECE_LENGTH,
    PORT,
    PROXY,
    RATE,
    RATIO,
    TEXT,
    TIER,
    WEB_SEED,
    Place,
)
from .program import Option

if TYPE_CHECKING:
    from pathlib import Path

    from .exits import Exit

DEFAULT_PORT = 6881  # where people's routers forward to by habit
DEFAULT_PEERS = 50
DEFAULT_SLOTS = 8

Gathering: TypeAlias = "Callable[[Callable[..., Exit]], Callable[..., Exit]]"
"""What makes one argument of a command's options."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Decorator(Protocol):
    """What click.option gives."""

    def __call__(self, function: _Function, /) -> _Function:
        """The same function, with something noted on it."""


def option(*names: str, **attributes: Any) -> Decorator:  # noqa: ANN401 - whatever click takes
    """An option that environment variables stand for, too."""
    return click.option(*names, cls=Option, **attributes)


def _all_of(*decorators: Decorator) -> Decorator:
    """In the order in which they are to be listed."""

    def decorate(function: _Function, /) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def folder_option(*names: str, help: str, exists: bool = False, **attributes: Any) -> Decorator:  # noqa: ANN401
    """A folder, the current one by default."""
    kind = Place(file_okay=False, exists=exists)
    return option(*names, type=kind, default=".", help=help, metavar="DIR", **attributes)


def user_state_folder() -> Path:
    """Where programs keep what they would like to find again."""
    from platformdirs import user_state_path

    return user_state_path("trio-torrent", appauthor=False)


json_option: Decorator = option(
    "--json", "as_json", is_flag=True, help="One JSON object a line on stdout, sizes in bytes."
)

output_options: Decorator = _all_of(
    json_option,
    option("--quiet", "-q", is_flag=True, help="No progress, errors only."),
)

verbose_option: Decorator = option(
    "--verbose", "-v", is_flag=True, help="Say how each tracker, web seed and other source of peers is."
)

done_option: Decorator = option(
    "--on-done",
    type=COMMAND,
    help="Run this when a torrent is complete, without a shell. What it should know is in TRIO_TORRENT_DONE_... "
    "variables: NAME, PATH, FOLDER, INFO_HASH, SIZE, DOWNLOADED, UPLOADED, SECONDS and SOURCE. If it fails, that is "
    "said, and nothing else comes of it.",
)

# For every command that may ask by HTTP: one that overlooked it would give away what the others hide.
proxy_option: Decorator = option(
    "--proxy",
    type=PROXY,
    help="http:// or socks5://[USER:PASSWORD@]HOST:PORT, for .torrent URLs and HTTP trackers. UDP trackers are then "
    "not asked. Peers are reached without it.",
)

port_option: Decorator = option(
    "--port",
    type=PORT,
    default=DEFAULT_PORT,
    show_default=True,
    help="Port for peers to reach us at, TCP, and for the DHT, UDP; 0 takes any that is free.",
)

interface_option: Decorator = option(
    "--interface", type=INTERFACE, help="Local IP address to listen on and to connect from."
)

router_option: Decorator = option(
    "--dht-router",
    "dht_routers",
    type=PEER,
    multiple=True,
    help="Find the way into the DHT by this node, not by those that everybody asks. Repeatable.",
)

# For commands that only connect.
peer_options: Decorator = _all_of(
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
    option(
        "--max-peers-in-all",
        type=click.IntRange(min=1),
        metavar="N",
        help="Connections for all torrents together; 200 by default, or fewer if the system has fewer.",
    ),
    option(
        "--upload-slots",
        type=click.IntRange(min=1),
        default=DEFAULT_SLOTS,
        show_default=True,
        metavar="N",
        help="Peers of a torrent that are served at once; a fast link serves more.",
    ),
    option("--limit-down", type=RATE, help="Receive at most so many bytes a second: 500K, 2M; 0 is no limit."),
    option("--limit-up", type=RATE, help="Send at most so many bytes a second, over all torrents."),
    option("--no-trackers", is_flag=True, help="Announce to no tracker."),
    option("--strict-tiers", is_flag=True, help="Ask the tiers of trackers one after the other (BEP 12), not at once."),
    option("--no-dht", is_flag=True, help="Find no peers in the DHT."),
    router_option,
    option("--no-lsd", is_flag=True, help="Do not look for peers in the local network."),
    option("--no-pex", is_flag=True, help="Exchange no addresses with peers."),
    option("--no-web-seeds", is_flag=True, help="Download nothing from web servers."),
    option(
        "--allow-local",
        is_flag=True,
        help="Let torrents name web seeds and any tracker on this machine or the local network.",
    ),
    proxy_option,
    option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="For hashing, reading and writing; by default as many as there are cores, 2 to 8.",
    ),
)

_seed_options = _all_of(
    option("--seed-ratio", "ratio", type=RATIO, help="Seed until R times the torrent's size has been uploaded."),
    option("--seed-time", "seconds", type=DURATION, help="Seed for so long: 90, 30s, 5m, 2h."),
)


state_option: Decorator = option(
    "--state",
    "state_folder",
    type=Place(file_okay=False),
    default=user_state_folder,
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
    option(
        "--check", "no_trust_record", is_flag=True, help="Check what is there, even if it is as the last run left it."
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


def _gathering(name: str, kind: str, options: Decorator) -> Gathering:
    """Options that a command gets as one argument, `name`: a value of that kind."""

    def decorate(command: Callable[..., Exit]) -> Callable[..., Exit]:
        @wraps(command)
        def collect(**named: Any) -> Exit:  # noqa: ANN401
            from . import wishes

            value = wishes.gather(getattr(wishes, kind), named)
            return command(**{name: value}, **named)

        return options(collect)

    return decorate


network_options: Gathering = _gathering("network", "Network", _network_options)
"""For commands that take part in a swarm."""

dht_options: Gathering = _gathering("network", "Network", _dht_options)
"""For commands that ask the DHT alone."""

data_options: Gathering = _gathering("data", "Data", _data_options)
"""For downloads."""

seed_options: Gathering = _gathering("limits", "SeedLimits", _seed_options)
"""For commands that may go on seeding."""


def recipe_options(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """For making a torrent. They arrive as one `recipe`."""

    @wraps(command)
    def collect(*, v1: bool, v2: bool, hybrid: bool, no_date: bool, **named: Any) -> Exit:  # noqa: ANN401
        from datetime import UTC, datetime

        from .wishes import Recipe, gather

        if v1 + v2 + hybrid > 1:
            raise click.UsageError("--v1, --v2 and --hybrid exclude one another")
        named["version"] = "1" if v1 else "2" if v2 else "hybrid"
        named["creation_date"] = None if no_date else int(datetime.now(UTC).timestamp())
        recipe = gather(Recipe, named)
        return command(recipe=recipe, **named)

    return _recipe_options(collect)
