"""``runner gather FOLDER``: makes a sweep of the points that other processes have measured, from their records.

A sweep of which another launcher runs the points (``hydra/launcher=submitit_slurm``) is gathered at its end by the program that started
it. This is for when that program is gone, or ended before its jobs did: it can be repeated, and starts nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.sweep import exit_status
from runner.sweep.gathering import gather, sweep_begun_in


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the sweep")
    parser.add_argument("--compare-hosts", action="store_true", help="as compare_hosts=true does for a sweep")


def run(arguments: argparse.Namespace) -> int:
    """Gather and show the sweep; returns the exit status."""
    sweep = sweep_begun_in(arguments.folder.absolute())
    for point in sweep.points:
        point.config.compare_hosts |= arguments.compare_hosts
    gather(sweep, sweep.points, {})
    return exit_status.current()
