"""The commands as they are typed.

Nothing here imports trio or rich: a command's module is imported when it runs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from trio_torrent import __version__

from .completion import SHELLS, complete_torrent, script
from .exits import Exit
from .options import (
    Decorator,
    data_options,
    dht_options,
    done_option,
    folder_option,
    json_option,
    network_options,
    option,
    output_options,
    peer_options,
    proxy_option,
    recipe_options,
    seed_options,
    state_option,
    verbose_option,
)
from .params import DURATION, SIZE, Place
from .program import Group

if TYPE_CHECKING:
    from pathlib import Path

    from trio_torrent import Address

    from .wishes import Data, Network, Recipe, SeedLimits

# For peers to tell what there is behind a link. It takes a second or two where there are any, and a UDP tracker that
# must be asked again takes 15.
WAIT_SECONDS = 30.0

EPILOG = (
    "SOURCE is a .torrent file, - for one on stdin, the http(s) URL of one, a magnet link or an info-hash. Sizes and "
    "rates take K, M and G (powers of 1024), durations s, m and h. Every option can be given by an environment "
    "variable: TRIO_TORRENT_PORT=6881 is --port 6881, and TRIO_TORRENT_GET_PORT is that of get alone. Exit codes: 0 "
    "done, 1 a bug, 2 usage, 3 the torrent cannot be used, 4 stalled or no usable peer, 5 disk, 6 data does not "
    "verify, 130 interrupted."
)

sources: Decorator = click.argument(
    "sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_torrent
)
torrent: Decorator = click.argument("source", metavar="TORRENT", shell_complete=complete_torrent)


@click.group(
    cls=Group,
    outermost=True,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@option("--debug", is_flag=True, help="Show the tracebacks of bugs.")
@click.pass_context
def commands(context: click.Context, debug: bool) -> None:  # `run` looks whether it is to be debugged
    """Download and share by BitTorrent."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Exit.USAGE)


@commands.command()
@sources
@folder_option("--output", "-o", help="Where the files go; the current folder by default.")
@network_options
@seed_options
@done_option
@option("--stall-timeout", type=DURATION, help="Give up when nothing has arrived for so long: 90, 30s, 5m, 2h.")
@option("--list", "list_files", is_flag=True, help="Show the files and download nothing.")
@option(
    "--save-torrent",
    type=Place(dir_okay=False),
    metavar="FILE",
    help="Keep the .torrent, of a magnet link as soon as it is known.",
)
@data_options
@output_options
@verbose_option
def get(
    sources: tuple[str, ...],
    output: Path,
    data: Data,
    network: Network,
    limits: SeedLimits,
    on_done: tuple[str, ...] | None,
    stall_timeout: float | None,
    list_files: bool,
    save_torrent: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Exit:
    """Download torrents.

    Of a magnet link or an info-hash, peers must tell first what there is.

    Files that are there already are checked, unless they are as the last run left them, and only what is missing or
    wrong is downloaded. Ends when everything is complete and verified, or with --seed-ratio or --seed-time when one of
    them is reached. When the disk is full or fails meanwhile, it waits and goes on by itself.
    """
    from .follow import follow
    from .follower import Orders
    from .run import run
    from .source import check_sources
    from .voice import Voice

    check_sources(sources)
    if list_files:
        from .info import info
        from .learn import Asking

        asking = Asking(network=network, seconds=WAIT_SECONDS if stall_timeout is None else stall_timeout)
        return run(partial(info, sources, as_json=as_json, all_files=True, asking=asking))
    if save_torrent is not None and len(sources) > 1:
        raise click.UsageError("--save-torrent is for one SOURCE")
    orders = Orders(
        folder=output,
        network=network,
        limits=limits,
        data=data,
        stall_seconds=stall_timeout,
        save_torrent=save_torrent,
        on_done=on_done or (),
    )
    return run(partial(follow, sources, orders, Voice(as_json=as_json, quiet=quiet, verbose=verbose)))


@commands.command()
@torrent
@folder_option("--data", "-d", exists=True, help="Where the files are; the current folder by default.")
@option("--no-check", is_flag=True, help="Believe what is known of the data from the last run, if it looks untouched.")
@network_options
@seed_options
@option("--superseed", is_flag=True, help="For the first copy there is: send each piece about once.")
@state_option
@output_options
@verbose_option
def seed(
    source: str,
    data: Path,
    no_check: bool,
    network: Network,
    limits: SeedLimits,
    superseed: bool,
    state_folder: Path,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Exit:
    """Serve data that is complete.

    It is checked first. Runs until interrupted, or until --seed-ratio or --seed-time is reached.
    """
    from .follow import follow
    from .follower import Orders
    from .run import run
    from .voice import Voice
    from .wishes import Data

    kept = Data(trust_record=no_check, state_folder=state_folder)
    orders = Orders(folder=data, network=network, limits=limits, data=kept, seed=True, superseed=superseed)
    return run(partial(follow, [source], orders, Voice(as_json=as_json, quiet=quiet, verbose=verbose)))


@commands.command()
@torrent
@option("--piece", type=click.IntRange(min=0), default=0, metavar="N", help="Of which piece, from 0.")
@option("--offset", type=click.IntRange(min=0), default=0, metavar="BYTES", help="Where in the piece the block begins.")
@option(
    "--length",
    type=click.IntRange(1, 1 << 14),
    default=128,
    show_default=True,
    metavar="BYTES",
    help="Of the block, at most 16384.",
)
@option(
    "--sample",
    type=Place(exists=True, dir_okay=False),
    help="Compare with this file: the torrent's content from its start, or just the block.",
)
@peer_options
@proxy_option
@json_option
def probe(
    source: str,
    piece: int,
    offset: int,
    length: int,
    sample: Path | None,
    peers: tuple[Address, ...],
    interface: str | None,
    proxy: str | None,
    as_json: bool,
) -> Exit:
    """Fetch one block and show each step.

    Announces, dials all peers at once, takes the first that answers the handshake, receives its bitfield, says
    `interested`, waits for `unchoke`, and requests the block. With --peer, no tracker is asked.
    """
    from .probe import Block, Request, probe
    from .run import run

    request = Request(Block(piece, offset, length), sample, peers, interface, proxy)
    return run(partial(probe, source, request, as_json=as_json))


@commands.command()
@sources
@option("--list", "list_files", own=True, is_flag=True, help="Show all files, however many there are.")
@option(
    "--wait",
    type=DURATION,
    default=WAIT_SECONDS,
    show_default=True,
    help="How long to ask peers what there is behind a magnet link; 0 asks nobody.",
)
@peer_options
@proxy_option
@json_option
def info(
    sources: tuple[str, ...],
    list_files: bool,
    wait: float,
    peers: tuple[Address, ...],
    interface: str | None,
    proxy: str | None,
    as_json: bool,
) -> Exit:
    """Show torrents, magnet links and info-hashes.

    What a link does not say is asked of peers, those of its trackers, its own and --peer; nothing is downloaded.
    """
    from .info import info
    from .learn import Asking
    from .run import run
    from .source import check_sources
    from .wishes import Network

    check_sources(sources)
    asking = Asking(network=Network(peers=peers, dht=False, interface=interface, proxy=proxy), seconds=wait)
    return run(partial(info, sources, as_json=as_json, all_files=list_files, asking=asking))


@commands.command()
@click.argument("path", type=Place(exists=True), metavar="PATH")
@option(
    "--output",
    "-o",
    own=True,
    type=Place(),
    metavar="FILE",
    help="Where the torrent goes; - is stdout. By default NAME.torrent in the current folder.",
)
@option("--force", own=True, is_flag=True, help="Replace a torrent that is there already.")
@recipe_options
@output_options
def create(path: Path, output: Path | None, force: bool, recipe: Recipe, as_json: bool, quiet: bool) -> Exit:
    """Make the torrent of a file or a folder.

    All files below a folder are in it, hidden ones too. A symbolic link is kept as a link if it leads to something in
    the folder; one that leads out or nowhere is refused, as are pipes, sockets, devices, and names that are not UTF-8.
    Empty folders are left out. If a file changes meanwhile, there is no torrent.
    """
    from .create import Target, create
    from .run import run
    from .voice import Voice

    target, voice = Target(output=output, force=force), Voice(as_json=as_json, quiet=quiet)
    return run(partial(create, path, target, recipe, voice, as_json=as_json))


@commands.command()
@torrent
@proxy_option
def magnet(source: str, proxy: str | None) -> Exit:
    """Print the magnet link of a torrent."""
    from .magnet import magnet
    from .run import run

    return run(partial(magnet, source, proxy=proxy))


@commands.command()
@torrent
@folder_option("--data", "-d", exists=True, help="Where the files are; the current folder by default.")
@proxy_option
@output_options
def verify(source: str, data: Path, proxy: str | None, as_json: bool, quiet: bool) -> Exit:
    """Compare data with a torrent.

    Nothing is written. Exits with 0 if every piece is good, and with 6 if one is not.
    """
    from .run import run
    from .verify import verify
    from .voice import Voice

    return run(partial(verify, source, data, Voice(as_json=as_json, quiet=quiet), as_json=as_json, proxy=proxy))


@commands.command()
@option("--size", type=SIZE, default="256M", show_default=True, help="How much data to share.")
@output_options
def demo(size: int, as_json: bool, quiet: bool) -> Exit:
    """Try everything on this machine alone.

    Makes random data and a torrent of it, starts a tracker and two seeders on the loopback interface, downloads from
    them, compares every byte, and shows the figures. All of it is in a temporary folder that is removed at the end.
    """
    from .demo import demo
    from .run import run
    from .voice import Voice

    return run(partial(demo, size, Voice(as_json=as_json, quiet=quiet)))


@commands.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> Exit:
    """Print what makes a shell complete lines.

    Commands, options, folders and .torrent files. For bash, put eval "$(trio-torrent completion bash)" into ~/.bashrc;
    for zsh the same with its name into ~/.zshrc; for fish, trio-torrent completion fish | source into
    ~/.config/fish/config.fish.
    """
    click.echo(script(shell, commands))
    return Exit.DONE


@commands.group(cls=Group, invoke_without_command=True)
@click.pass_context
def dht(context: click.Context) -> None:
    """Ask the DHT, without any torrent."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Exit.USAGE)


@dht.command()
@click.argument("name", metavar="INFO-HASH")
@dht_options
def lookup(name: str, network: Network, timeout: float, as_json: bool, quiet: bool) -> Exit:
    """Show the peers of a torrent as they are found.

    INFO-HASH is 40 hex digits (v1), 64 (v2) or 32 of base32, or a magnet link. Nothing is announced.
    """
    from .dht import Inquiry, lookup
    from .run import run
    from .voice import Voice

    return run(partial(lookup, name, Inquiry(network, timeout), Voice(as_json=as_json, quiet=quiet)))


@dht.command()
@dht_options
def status(network: Network, timeout: float, as_json: bool, quiet: bool) -> Exit:
    """Find the way into the DHT, and show how many nodes we know and how they see us."""
    from .dht import Inquiry, status
    from .run import run
    from .voice import Voice

    return run(partial(status, Inquiry(network, timeout), Voice(as_json=as_json, quiet=quiet)))


@dht.command("get")
@click.argument("target", metavar="TARGET")
@dht_options
def get_value(target: str, network: Network, timeout: float, as_json: bool, quiet: bool) -> Exit:
    """Show the value that is stored under its hash, 40 hex digits (BEP 44, immutable)."""
    from .dht import Inquiry, get
    from .run import run
    from .voice import Voice

    return run(partial(get, target, Inquiry(network, timeout), Voice(as_json=as_json, quiet=quiet)))


@dht.command("put")
@click.argument("text", metavar="TEXT")
@dht_options
def put_value(text: str, network: Network, timeout: float, as_json: bool, quiet: bool) -> Exit:
    """Store a text for about two hours, for anybody to see, and print the TARGET that it is found under."""
    from .dht import Inquiry, put
    from .run import run
    from .voice import Voice

    return run(partial(put, text, Inquiry(network, timeout), Voice(as_json=as_json, quiet=quiet)))
