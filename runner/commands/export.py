"""``runner export FOLDER --csv [--output FILE]``: writes a point's rows, one for each image and epoch, as text.

The rows are stored as Parquet in images/, which pandas.read_parquet reads as one frame. For a sweep, the rows of each point are written
into the folder of that point.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from runner.disk import write_atomically
from runner.display.console import print_line
from runner.errors import RunnerError
from runner.outside import plain_file
from runner.record.manifest import amend_manifest
from runner.record.parquet import FOLDER, TEXT_FILE, files_in
from runner.record.reading import SWEEP, read_point, read_sweep
from runner.record.rows import write_csv

_STANDARD_OUTPUT = Path("-")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a point or a sweep")
    parser.add_argument(
        "--csv", action="store_true", required=True, help="write CSV, with the names of the columns in the first line"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where to write the rows of one point, - for standard output; by default {TEXT_FILE} in its folder",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files and say where they are."""
    folders = _with_rows(arguments.folder)
    if arguments.output is not None and len(folders) > 1:
        raise RunnerError(
            f"--output={arguments.output}: takes the rows of one point, and {arguments.folder} has {len(folders)}"
        )
    for folder in folders:
        output = arguments.output or folder / TEXT_FILE
        if output == _STANDARD_OUTPUT:
            write_csv(folder, sys.stdout)
            continue
        if not output.parent.is_dir():
            raise RunnerError(f"{output}: there is no folder {output.parent}")
        if not files_in(folder) and output.absolute() == (folder / TEXT_FILE).absolute():
            print_line(f"{output}: is there already; this record has its rows in no other file")
            continue
        write_atomically(output, lambda file, folder=folder: write_csv(folder, file))  # type: ignore[misc]
        amend_manifest(folder, TEXT_FILE)
        print_line(f"Written: {output}")
    return 0


def _with_rows(folder: Path) -> list[Path]:
    """The folders with rows: that of the point, or those of the sweep's points."""
    if os.path.lexists(folder / SWEEP):
        folders = [point.folder for point in read_sweep(folder).measured]
    else:
        read_point(folder)
        folders = [folder]
    with_rows = [each for each in folders if files_in(each) or plain_file(each, TEXT_FILE)]
    if not with_rows:
        raise RunnerError(f"{folder}: holds no rows of images ({FOLDER}/ or {TEXT_FILE})")
    return with_rows
