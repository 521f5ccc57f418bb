"""``runner trace FOLDER [--round N] [--images N]``: writes a point's ``trace.json`` again, for any of its trials."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.display.console import print_line
from runner.errors import RunnerError
from runner.record.manifest import amend_manifest
from runner.record.trace import MOST_IMAGES, write_trace


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a point")
    parser.add_argument("--round", type=int, help="the round of the trial; by default the trial with the median throughput")
    parser.add_argument(
        "--images",
        type=int,
        default=MOST_IMAGES,
        help=f"the most images to show, from the start of each epoch; by default {MOST_IMAGES}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say where it is."""
    if arguments.images < 0:
        raise RunnerError(f"--images={arguments.images}: is below 0")
    number = write_trace(arguments.folder, arguments.round, arguments.images)
    if number is None:
        raise RunnerError(f"{arguments.folder}: no trial of this point succeeded; --round shows one that failed")
    amend_manifest(arguments.folder, "trace.json")
    print_line(f"{arguments.folder / 'trace.json'}: round {number}; open it at https://ui.perfetto.dev or chrome://tracing")
    return 0
