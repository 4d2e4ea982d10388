"""Run one swarm and show its figures: `python -m tests.sim crowd --seed 3`; `all` runs each."""

from __future__ import annotations

import argparse
import time

from .report import table
from .scenarios import SCENARIOS


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("name", choices=[*SCENARIOS, "all"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="run with so many, from --seed on")
    options = parser.parse_args()
    for name in SCENARIOS if options.name == "all" else [options.name]:
        for seed in range(options.seed, options.seed + options.seeds):
            start = time.process_time()
            run = SCENARIOS[name](seed)
            print(
                f"-- {name}: {SCENARIOS[name].__doc__}\n{table(run)}, {time.process_time() - start:.1f} s of CPU\n",
                flush=True,
            )


main()
