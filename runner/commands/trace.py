"""``runner trace FOLDER [--round N] [--images N]``: makes a point's ``trace.json`` again, for whichever of its trials."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.display.console import print_line
from runner.errors import RunnerError
from runner.record.trace import MOST_IMAGES, write_trace


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a point")
    parser.add_argument("--round", type=int, help="which trial; by default the one in the middle by images per second")
    parser.add_argument(
        "--images",
        type=int,
        default=MOST_IMAGES,
        help=f"how many images it shows, the first of each epoch; by default {MOST_IMAGES}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say where it is."""
    if arguments.images < 0:
        raise RunnerError(f"--images={arguments.images}: is less than none")
    number = write_trace(arguments.folder, arguments.round, arguments.images)
    if number is None:
        raise RunnerError(f"{arguments.folder}: no trial of this point went well; --round shows one that did not")
    print_line(f"{arguments.folder / 'trace.json'}: round {number}; open it on https://ui.perfetto.dev or chrome://tracing")
    return 0
