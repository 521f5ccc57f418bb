"""Runs and sweeps from a program or a notebook: what the command line does, with results as values and errors as exceptions."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.api.results import Run, Sweep, as_result
from runner.api.surroundings import left_as_they_were
from runner.api.words import words_of
from runner.config.early import sweeps_among
from runner.display.console import results_not_shown
from runner.errors import ConfigurationError, RunnerError
from runner.host.claim import claimed_folders, give_back_folders
from runner.record.reading import RESULT, SWEEP, SweepRecord, read_folder
from runner.secrets import masked
from runner.sweeps import exit_status
from runner.sweeps.hydra_run import refusal_of, refuse_words, remove_empty_sweep, run_words

# Two measurements at once would disturb each other; and what Hydra holds, it holds once for a process.
_one_at_a_time = threading.Lock()


def sweep(*overrides: str, **choices: Any) -> Sweep:
    """Measure every combination of the choices, in interleaved rounds, and say which is best.

    ``runner.sweep("mode=thread,process", workers=[2, 4], images=60)`` is the command ``runner mode=thread,process workers=2,4 images=60 -m``.

    Args:
        *overrides: as on a command line, ``key=value`` or ``group=option``, with commas between values to sweep over.
        **choices: values by their keys; a list has the values to sweep over. ``**{"source.path": "photos"}`` gives a key with a dot.

    Returns:
        The sweep. A point that failed is in it, with the reason; so is what was measured before an interruption (Ctrl-C, or a notebook's
        stop button), where anything was: ``interrupted`` says so.

    Raises:
        ConfigurationError: it cannot be run; nothing was started.
        StorageError: a file of the record could not be written; what was written before is kept.
        KeyboardInterrupt: it was interrupted before anything was measured.
    """
    return _swept(["-m", *words_of(overrides, choices, swept=True)])


def tune(path: str | os.PathLike[str], *overrides: str, **choices: Any) -> Sweep:
    """Find the setting to take for the photographs in a folder: a race of modes, workers and TensorFlow's threads.

    It is the command ``runner experiment=tune source=folder source.path=...``.

    Args:
        path: of the folder.
        *overrides: as of ``sweep``.
        **choices: as of ``sweep``.

    Raises:
        ConfigurationError: it cannot be run, such as where there is no such folder.
        StorageError: as of ``sweep``.
        KeyboardInterrupt: as of ``sweep``.
    """
    photographs = {"experiment": "tune", "source": "folder", "source.path": os.fspath(path)}
    return _swept(["-m", *words_of((), photographs, swept=True), *words_of(overrides, choices, swept=True)])


def run(*overrides: str, **choices: Any) -> Run:
    """Measure one configuration: ``runner.run(mode="process", workers=4)``.

    Args:
        *overrides: as on a command line, ``key=value`` or ``group=option``.
        **choices: values by their keys.

    Returns:
        The run. Its ``status`` is not ``ok``, and its ``error`` says why, where it failed.

    Raises:
        ConfigurationError: it cannot be run, or is several configurations; nothing was started.
        StorageError: as of ``sweep``.
        KeyboardInterrupt: as of ``sweep``.
    """
    words = words_of(overrides, choices, swept=False)
    presets = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    if sweeping := sweeps_among(presets):
        raise ConfigurationError("experiment", sweeping[0], "is a sweep by itself", "runner.sweep for it, or another preset")
    result = _executed(words, Run)
    assert isinstance(result, Run)  # noqa: S101  (as no preset is a sweep)
    return result


def load(folder: str | os.PathLike[str]) -> Sweep | Run:
    """What is recorded in a folder, of whoever measured it: nothing of it is run, and nothing that it names is contacted.

    Raises:
        RunnerError: there is no record in it that this program can read, or none with a trial.
    """
    return _read(Path(folder))


def _swept(words: Sequence[str]) -> Sweep:
    result = _executed(words, Sweep)
    assert isinstance(result, Sweep)  # noqa: S101  (of -m, and of the folder of a sweep)
    return result


def _executed(words: Sequence[str], kind: type[Run | Sweep]) -> Sweep | Run:
    """Run the words of a command line, which make a record of this kind, and read it."""
    _refuse_another_kind(words, kind)
    try:
        with _one_at_a_time, results_not_shown(), left_as_they_were():
            folder = _run(words)
    except RunnerError as error:
        error.args = tuple(masked(part) if isinstance(part, str) else part for part in error.args)
        if isinstance(error, ConfigurationError):
            error.given = masked(str(error.given)) if isinstance(error.given, str | os.PathLike) else error.given
        raise
    return _read(folder)


def _refuse_another_kind(words: Sequence[str], kind: type[Run | Sweep]) -> None:
    """Refuse to go on with the folder of a run as a sweep, or the other way round."""
    folders = [Path(word.partition("=")[2].strip("'\"")).expanduser() for word in words if word.startswith("resume=")]
    for folder in folders:
        if kind is Sweep and (folder / RESULT).exists() and not (folder / SWEEP).exists():
            raise ConfigurationError("resume", folder, "is the folder of a single run", "runner.run(resume=...) for it")
        if kind is Run and (folder / SWEEP).exists():
            raise ConfigurationError("resume", folder, "is the folder of a sweep", "runner.sweep(resume=...) for it")


def _run(words: Sequence[str]) -> Path:
    """Run them; returns the folder of the record."""
    try:
        refuse_words(words)
        run_words(words)
        _raise_what_a_sweep_has_noted()
    except KeyboardInterrupt:
        begun = claimed_folders()
        if not begun or not _is_measured(begun[0]):
            raise
        return begun[0]
    except Exception as error:
        refused = refusal_of(error)
        give_back_folders()
        remove_empty_sweep()
        if refused is None:
            raise
        raise refused from None
    else:
        return claimed_folders()[0]
    finally:
        give_back_folders()


def _raise_what_a_sweep_has_noted() -> None:
    if exit_status.current() == exit_status.INTERRUPTED:
        raise KeyboardInterrupt


def _is_measured(folder: Path) -> bool:
    """Whether there is a trial; a run that was interrupted before its first one has no record."""
    if not any((folder / name).is_file() for name in (RESULT, SWEEP)):
        return False
    record = read_folder(folder)
    return record is not None and not (isinstance(record, SweepRecord) and not record.measured)


def _read(folder: Path) -> Sweep | Run:
    record = read_folder(folder.absolute())
    if record is None:
        raise RunnerError(f"{folder}: this point has no trial yet")
    return as_result(record)
