"""The statistics on simulated sweeps, whose truth is known: every claim with its rate and the 95 % interval of that (Clopper & Pearson).

python benchmarks/simulation.py [--sweeps 2000] [--only race]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from claims import CLAIMS
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--only", choices=CLAIMS)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name, claim in CLAIMS.items():
        if arguments.only not in {None, name}:
            continue
        began = time.perf_counter()
        table = Table(title_justify="left")
        for column in ("what", "where", "how often", "promised", "beside"):
            table.add_column(column, justify="right" if column == "how often" else "left")
        for one in claim(arguments.sweeps, np.random.default_rng(arguments.seed)):
            ends = binomtest(one.hits, one.of).proportion_ci(0.95, method="exact")
            rate = f"{one.hits / one.of:.1%} \\[{ends.low:.1%}, {ends.high:.1%}]"
            table.add_row(one.claim, one.setting, rate, one.promised, one.note)
        table.title = f"{name}: {arguments.sweeps} sweeps at most, {time.perf_counter() - began:.0f} s"
        Console(width=190).print(table)


if __name__ == "__main__":
    main()
