"""``python -m runner.report FOLDER...``: makes ``report.html`` anew from the records alone, or shows it in the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import RunnerError


def main() -> None:
    """Write the reports, or print them; exits with 1 where one cannot be made, after the others."""
    parser = argparse.ArgumentParser(prog="python -m runner.report", description=__doc__)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep or of a point, or one with such below it"
    )
    parser.add_argument("--terminal", action="store_true", help="show tables and sparklines here instead of writing a file")
    arguments = parser.parse_args()
    refused = 0
    for folder in arguments.folders:
        try:
            for found in _folders(folder):
                _report(found, terminal=arguments.terminal)
        except RunnerError as error:
            refused += 1
            print(error, file=sys.stderr)  # noqa: T201
    sys.exit(1 if refused else 0)


def _folders(folder: Path) -> list[Path]:
    """The folder itself where it holds a record, otherwise those of all records below it."""
    from runner.records_on_disk import records_below

    if any((folder / name).is_file() for name in ("sweep.json", "result.json")):
        return [folder]
    return [record.folder for record in records_below(folder)]


def _report(folder: Path, *, terminal: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if terminal:
        from runner.report.plain import print_report
        from runner.report.subject import read_subject

        print_report(read_subject(folder))
        return
    from runner.report.page import write_report

    console.print(f"Written: {write_report(folder)}", markup=False)
