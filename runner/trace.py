"""``python -m runner.trace FOLDER [--round N]``: makes a point's ``trace.json`` again, for whichever of its trials."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import RunnerError
from runner.report.trace import write_trace


def main() -> None:
    """Write the file and say where it is; exits with 1 where there is nothing to write."""
    parser = argparse.ArgumentParser(prog="python -m runner.trace", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a point")
    parser.add_argument("--round", type=int, help="which trial; by default the one in the middle by images per second")
    arguments = parser.parse_args()
    try:
        number = write_trace(arguments.folder, arguments.round)
    except RunnerError as error:
        sys.exit(str(error))
    if number is None:
        sys.exit(f"{arguments.folder}: no trial of this point went well; --round shows one that did not")
    Console(markup=False, highlight=False, soft_wrap=True).print(
        f"{arguments.folder / 'trace.json'}: round {number}; open it on https://ui.perfetto.dev or chrome://tracing"
    )


if __name__ == "__main__":
    main()
