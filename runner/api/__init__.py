"""What programs and notebooks call. Each name is also in ``runner`` itself, as ``runner.sweep``."""

from __future__ import annotations

from runner.api.deciding import Decision, decide
from runner.api.results import Run, Sweep
from runner.api.running import load, run, sweep, tune

__all__ = ["Decision", "Run", "Sweep", "decide", "load", "run", "sweep", "tune"]
