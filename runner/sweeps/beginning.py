"""Begins a run in its folder: no other program uses it, and it holds no record of something else."""

from __future__ import annotations

import os
from pathlib import Path

from runner.disk import remove_left_over
from runner.display.console import print_note, short
from runner.errors import ConfigurationError
from runner.host.claim import claim
from runner.record.manifest import remove_manifest
from runner.record.reading import RESULT, SWEEP


def begin_in(folder: Path, key: str, *, resumed: bool) -> None:
    """Make the folder of a run or a sweep this program's until it ends. What a killed program left half written in it goes,
    and the manifest of what is about to change.

    Args:
        folder: absolute.
        key: of the configuration that names it, for a message.
        resumed: whether the record in it is gone on with.

    Raises:
        ConfigurationError: another program uses it, or it holds a record and is not resumed.
        StorageError: it cannot be written to.
    """
    claim(folder, key, print_note)
    if not resumed and (names := [name for name in (SWEEP, RESULT) if os.path.lexists(folder / name)]):
        raise ConfigurationError(
            key,
            folder,
            f"holds the record of another run already ({names[0]}), and would mix the two",
            f"a folder without a record, as by default; or resume={short(folder)}, to go on with the one in it",
        )
    remove_left_over(folder)
    remove_manifest(folder)
