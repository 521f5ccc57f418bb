"""``runner report FOLDER...``: writes ``report.html`` again from the records alone, or shows it, or all figures, in the terminal."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from runner.display.console import print_error, print_line
from runner.errors import RunnerError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep or a point, or one that contains such folders"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--terminal", action="store_true", help="show tables and sparklines here instead of writing a file")
    how.add_argument(
        "--all", action="store_true", help="show here what a sweep ends with, for every point and in every compared metric"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write or print the reports; returns 1 if one could not be made. The others are made all the same."""
    refused = 0
    for folder in arguments.folders:
        try:
            for subfolder in _folders(folder):
                _print_all(subfolder) if arguments.all else _report(subfolder, terminal=arguments.terminal)
        except RunnerError as error:
            refused += 1
            print_error(str(error))
    return 1 if refused else 0


def _folders(folder: Path) -> list[Path]:
    """The folder itself where it holds a record, otherwise those of all records below it."""
    from runner.record.reading import RESULT, SWEEP, records_below

    if any(os.path.lexists(folder / name) for name in (SWEEP, RESULT)):
        return [folder]
    return [record.folder for record in records_below(folder)]


def _print_all(folder: Path) -> None:
    from runner.display.sweep_summary import print_sweep
    from runner.record.reading import SWEEP, read_sweep_json

    if not (folder / SWEEP).exists():
        raise RunnerError(f"--all: {folder} is no sweep\n  accepted: the folder of a sweep; of a point, --terminal")
    print_sweep(read_sweep_json(folder / SWEEP), folder, everything=True)


def _report(folder: Path, *, terminal: bool) -> None:
    if terminal:
        from runner.report.plain import print_report
        from runner.report.subject import read_subject

        print_report(read_subject(folder))
        return
    from runner.record.manifest import amend_manifest
    from runner.record.reading import REPORT
    from runner.report.page import write_report

    print_line(f"Written: {write_report(folder)}")
    amend_manifest(folder, REPORT, "*.svg", "*.png")
