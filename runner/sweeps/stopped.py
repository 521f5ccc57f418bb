"""What there is to say of a run that had to stop because its folder could not be written: what is on disk, and how to go on."""

from __future__ import annotations

import os
from pathlib import Path

from runner.config.resume import can_be_resumed
from runner.display.console import command_line, short
from runner.errors import RunnerError
from runner.outside import within
from runner.record.reading import RESULT, SELF_CHECK, SWEEP, read_result, read_sweep_json


def what_is_kept(folder: Path) -> str:
    """In two lines: how much has been measured, and the command that goes on."""
    trials = [len(_trials_in(at)) for at in _points(folder)]
    if not any(trials):
        return f"  nothing had been measured yet in {short(folder)}"
    points = sum(map(bool, trials))
    kept = f"  on disk: {sum(trials)} trial{'s' if sum(trials) > 1 else ''} of {points} point{'s' if points > 1 else ''}, whole, in {short(folder)}"
    if not can_be_resumed(folder):
        return f"{kept}; {command_line('report', short(folder))} shows them"
    return f"{kept}\n  go on, when it can be written again: {command_line(f'resume={short(folder)}')}"


def _points(folder: Path) -> list[Path]:
    if not os.path.lexists(folder / SWEEP):
        return [folder]
    try:
        return [*(within(folder, entry["folder"]) for entry in read_sweep_json(folder / SWEEP)["points"]), folder / SELF_CHECK]
    except RunnerError:
        return []


def _trials_in(folder: Path) -> list[object]:
    try:
        return list(read_result(folder / RESULT)["trials"])
    except RunnerError:
        return []
