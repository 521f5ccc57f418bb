"""The first function of a trial's process. It is light, because the supervisor imports it too."""

from __future__ import annotations

from runner.host.connections import Connection
from runner.trial.messages import TrialPlan


def start_trial(connection: Connection, plan: TrialPlan, forked_by_server: bool) -> None:
    """Run the trial that ``plan`` describes in this process."""
    from runner.trial.main import run_trial

    run_trial(connection, plan, forked_by_server)


def ready() -> None:
    """Do nothing. A process that runs this shows that processes can be started."""
