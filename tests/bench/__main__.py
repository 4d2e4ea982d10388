"""`python -m tests.bench [WHAT ...] [--rounds N] [--size MiB]`; WHAT is download, seed, hashing, scheduler, dht,
webseed or stream.
"""

import argparse

from . import dht, hashing, scheduler, stream, transfer, webseed

parser = argparse.ArgumentParser(prog="nox -s bench --", description="Measure beside libtorrent.")
KINDS = ["download", "seed", "hashing", "scheduler", "dht", "webseed", "stream"]
parser.add_argument("what", nargs="*", default=KINDS, help=", ".join(KINDS))
parser.add_argument("--rounds", type=int, default=3, help="how often each contender has its turn")
parser.add_argument("--size", type=int, default=512, metavar="MiB", help="of the payload")
arguments = parser.parse_args()

for what in arguments.what:
    match what:
        case "download":
            transfer.downloads(arguments.size << 20, arguments.rounds)
        case "seed":
            transfer.seeds(arguments.size << 20, arguments.rounds)
        case "hashing":
            hashing.run(arguments.size << 20, arguments.rounds)
        case "scheduler":
            scheduler.run()
        case "dht":
            dht.run(arguments.rounds)
        case "webseed":
            webseed.run(arguments.size << 20, arguments.rounds)
        case "stream":
            stream.run(arguments.size << 20, arguments.rounds)
        case _:
            parser.error(f"there is no benchmark {what!r}")
