"""The first function of a trial's process. The supervisor names it without importing what a trial needs."""

from __future__ import annotations

from runner.host.connections import Connection
from runner.trial.messages import TrialPlan


def start_trial(connection: Connection, plan: TrialPlan, forked_by_server: bool) -> None:
    """Become the trial that ``plan`` describes."""
    from runner.trial.main import run_trial

    run_trial(connection, plan, forked_by_server)


def ready() -> None:
    """Do nothing: that a process got here is the answer."""
