"""A race as it goes on: which points the next round has, and when there is no next one.

Nothing of it is stored: what was decided after each round follows from the trials on record, so that a race that was stopped, by whatever, goes on
where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.sweeps.point import Point
from runner.sweeps.sweep import Sweep


class Course:
    """The race of a sweep.

    Args:
        sweep: its points.
        show: is given a line on how it stands, after each round.
    """

    def __init__(self, sweep: Sweep, show: Callable[[str], None]) -> None:
        self._sweep = sweep
        self._show = show
        self._protocol = sweep.baseline.config.protocol

    def due(self, number: int) -> Sequence[Point]:
        """The points that have a round of this number, by the rounds before it; none where the race is over."""
        if number >= self._protocol.max_rounds or self.budget_is_spent():
            return []
        return self._sweep.inside(number)

    def budget_is_spent(self) -> bool:
        """Whether the trials have taken as long as they may."""
        return self._protocol.budget_s is not None and trials_s(self._sweep.points) >= self._protocol.budget_s

    def round_ended(self) -> None:
        """Write down what is known, so that it is there however the sweep ends, and show how it stands."""
        self._sweep.conclude()
        self._sweep.write()
        self._show(self._standing())

    def _standing(self) -> str:
        """How the race stands."""
        if self._sweep.conclusion is None or not self._sweep.conclusion.race:
            return ""
        look = self._sweep.conclusion.race[-1]
        bound = "" if look["bound_pct"] is None else f", nothing is more than {look['bound_pct']:.0f} % better"
        return f"{len(look['in'])} of {len(self._sweep.points)} in; {look['leader']} leads{bound}"


def trials_s(points: Sequence[Point]) -> float:
    """How long the trials of these points have taken together, in seconds."""
    return sum(trial["ended_at"] - trial["started_at"] for point in points for trial in point.trials)
