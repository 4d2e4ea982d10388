"""`python -m tests.bench [table | WHAT ...] [--rounds N] [--size MiB]`; `table` is all that the README's table has."""

import argparse
import compileall
from collections.abc import Callable, Sequence
from pathlib import Path

import trio_torrent

from . import dht, download, hashing, idle, latency, magnet, scheduler, seed, stream, swarm, webseed
from .clients import CLIENTS
from .rows import Row, table

PARTS: dict[str, Callable[[int, int], Sequence[Row]]] = {
    "download": download.large_pieces,
    "small-pieces": download.small_pieces,
    "small-files": download.small_files,
    "seed": seed.run,
    "swarm": swarm.run,
    "hashing": hashing.run,
    "magnet": lambda size, rounds: magnet.run(rounds),
    "latency": latency.run,
    "idle": lambda size, rounds: idle.run(),
}
OTHERS: dict[str, Callable[[int, int], None]] = {  # these print tables of their own
    "scheduler": lambda size, rounds: scheduler.run(),
    "dht": lambda size, rounds: dht.run(rounds),
    "webseed": webseed.run,
    "stream": lambda size, rounds: stream.run(rounds),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description="Measure beside other clients.")
    parser.add_argument("what", nargs="*", default=["table"], help=", ".join(["table", *PARTS, *OTHERS]))
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender has its turn")
    parser.add_argument("--size", type=int, default=1024, metavar="MiB", help="of the payload")
    arguments = parser.parse_args()
    wanted = [part for what in arguments.what for part in (PARTS if what == "table" else [what])]
    if unknown := {*wanted} - {*PARTS, *OTHERS}:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    if missing := [client.name for client in CLIENTS if not client.is_here]:
        print(f"not installed: {', '.join(missing)}")
    # As it is where it was installed. Where Python is told to write no bytecode, each start would cost 0.2 s more.
    compileall.compile_dir(Path(trio_torrent.__file__).parent, quiet=1)
    rows: list[Row] = []
    for what in wanted:
        print(f"{what} ...", flush=True)
        try:
            if what in PARTS:
                rows += PARTS[what](arguments.size << 20, arguments.rounds)
            else:
                OTHERS[what](arguments.size << 20, arguments.rounds)
        except RuntimeError as error:  # the others can be measured all the same
            print(f"{what} failed: {error}", flush=True)
    if rows:
        print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
