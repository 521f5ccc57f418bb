"""The whole program, imported once, with its fork servers started once, for all runs of it that a test does not need cold."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path

from support.forking_program import FORK_SERVERS, ForkingProgram


@functools.cache
def warm() -> ForkingProgram:
    """The same for all tests of this process."""
    scratch = tempfile.TemporaryDirectory()
    program = ForkingProgram(
        Path(scratch.name),
        FORK_SERVERS,
        "matplotlib.backends.backend_svg",
        "mlflow",
        "scipy.optimize",
        "scipy.stats",
        "support.copied_store",
        "support.mlflow_reader",
        "runner.commands.dispatch",
        "runner.commands.run",
        "runner.commands.report",
        "runner.commands.sync",
        "runner.sweeps.execute",
        "runner.sweeps.single",
        "runner.tracking.mlflow_runs",
    )
    atexit.register(scratch.cleanup)
    atexit.register(program.close)  # which comes first
    return program
