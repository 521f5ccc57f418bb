"""An observer of a trial's events."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psutil

from runner.trial.messages import Phase
from runner.trial.supervisor import Event


class Watching:
    """Keeps the pids that a trial tells of, and does something once when it enters a phase."""

    def __init__(self, phase: str = "", act: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self.pids: set[int] = set()
        self._phase = phase
        self._act = act

    def __call__(self, event: Event) -> None:
        if isinstance(event, Phase):
            self.pids |= set(event.pids)
            if event.name == self._phase:
                self._phase = ""
                self._act(event.pids)

    def alive(self) -> list[int]:
        found = []
        for pid in self.pids:
            try:
                if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(pid)
            except psutil.NoSuchProcess:
                continue
        return found
