"""Logs a record to MLflow after all timing, and prints the outcome."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runner.config.options import TrackingOption
from runner.display.console import command_line, print_error, print_note, print_where_tracked, short
from runner.secrets import masked
from runner.tracking.track import track

_VARIABLE = "MLFLOW_TRACKING_URI"


def log_to_mlflow(folder: Path, options: Sequence[TrackingOption]) -> None:
    """Log the point or the sweep in ``folder`` to the stores of ``options``. If a store cannot be written, a message says so."""
    if os.environ.get(_VARIABLE) and any(uri is None for option in options for uri in option.stores):
        print_note(f"Note: {_VARIABLE} is not followed; tracking=server tracking.uri=${_VARIABLE} logs there")
    for logged in track(folder, options):
        if logged.error is None:
            print_where_tracked(logged.page)
        else:
            where = [] if logged.uri is None else ["--uri", masked(logged.uri)]
            later = f"log it later by: {command_line('sync', short(folder), *where)}"
            print_error(f"This run is not complete in MLflow; its record on disk is: {logged.error}\n  {later}")
