"""``runner verify FOLDER...``: holds a record against its manifest, and names each file that is missing, changed or added.

The manifest, manifest.json, has the SHA-256 of every file and is written when a run or a sweep has ended. It shows what was lost or
changed by accident; whoever changes a file on purpose can change the manifest too. The exit status is 0 where all is as it was written.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from runner.display.console import print_error, print_line
from runner.errors import RunnerError
from runner.outside import in_one_line
from runner.record.manifest import MANIFEST, Deviations, deviations
from runner.record.reading import RESULT, SWEEP, folders_of_records


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep or a single run, or one that contains such folders"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what deviates; returns 1 if something does, or cannot be told."""
    whole = True
    for folder in arguments.folders:
        for record in _records(folder.absolute()):
            try:
                whole &= _verified(record)
            except RunnerError as error:
                whole = False
                print_error(str(error))
    return 0 if whole else 1


def _records(folder: Path) -> Iterator[Path]:
    """The folder itself where it holds a record or a manifest, otherwise those of all records below it."""
    if any(os.path.lexists(folder / name) for name in (SWEEP, RESULT, MANIFEST)):
        yield folder
    else:
        yield from folders_of_records(folder)


def _verified(folder: Path) -> bool:
    found = deviations(folder)
    if found is None:
        print_line(
            f"{folder}: has no {MANIFEST}, so nothing can be told: it has not ended yet, was cut short, is a point of a sweep, or was made before "
            "records had one"
        )
        return False
    for line in _lines(found):
        print_line(f"{folder}: {line}")
    if not found:
        print_line(f"{folder}: every file is as it was written")
    return not found


def _lines(found: Deviations) -> Iterator[str]:
    for what, names in (("missing", found.missing), ("changed", found.changed), ("added", found.added)):
        for name in names:
            yield f"{what}: {in_one_line(name)}"
