"""``runner gather FOLDER``: combines points that other jobs have measured into one sweep, from their records.

When another launcher runs the points (``hydra/launcher=submitit_slurm``), the program that started the sweep gathers it at the end.
This command is for sweeps whose program ended before their jobs did. It starts no trial, and can be repeated.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.config.options import Sqlite
from runner.display.console import print_line
from runner.host.claim import claim, give_back
from runner.record.manifest import remove_manifest
from runner.record.reading import SWEEP, read_sweep_json
from runner.sweeps import exit_status
from runner.tracking.store import may_contact


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the sweep")
    parser.add_argument("--compare-hosts", action="store_true", help="as compare_hosts=true does for a sweep")


def run(arguments: argparse.Namespace) -> int:
    """Gather and show the sweep; returns the exit status."""
    folder = arguments.folder.absolute()
    read_sweep_json(folder / SWEEP)  # refused before what gathers is loaded
    from runner.sweeps.gathering import gather, sweep_begun_in

    sweep = sweep_begun_in(folder)
    for point in sweep.points:
        point.config.compare_hosts |= arguments.compare_hosts
        tracking = point.config.tracking
        if not all(map(may_contact, tracking.stores)):
            print_line(
                f"{point.label}: the server that its record names is not contacted; runner sync FOLDER --uri ... logs it there"
            )
            point.config.tracking = Sqlite(experiment=tracking.experiment, max_artifact_mb=tracking.max_artifact_mb)
    claim(sweep.folder, "FOLDER", print_line)
    try:
        remove_manifest(sweep.folder)
        gather(sweep, sweep.points, {})
    finally:
        give_back(sweep.folder)
    return exit_status.current()
