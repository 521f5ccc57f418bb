"""Several objectives: which points nothing beats in all of them together, the Pareto front of what is proven.

With ε the indifference, a point beats another where it is proven to be more than ε better in one objective, and proven not to be more than ε worse in
any other. A claim needs the bounds of all objectives at once, so that each may stand at the whole level (an intersection-union test: Berger, 1982); over
the k − 1 rivals of a point they add up to 5 %, as in Hsu's comparisons. So a point that nothing beats is left out in at most 5 of 100 sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runner.analysis.best import highest_by_rounds, matrix, moments
from runner.analysis.conclusion import Candidate, Question
from runner.analysis.racing import highest_at_every_look


def beaten_by(objectives: Sequence[Sequence[Candidate]], questions: Sequence[Question]) -> list[int | None]:
    """For each point the place of one on the front that beats it; None for those on the front.

    Args:
        objectives: for each objective, the same points with their values of it.
        questions: what is asked of each objective; more than one.
    """
    bounds = [_highest(candidates, question) for candidates, question in zip(objectives, questions, strict=True)]
    margin = math.log1p(questions[0].indifference)
    # Row i, column j: point j beats point i. What i has over j at most is what decides.
    worse_at_most = [bound.T for bound in bounds]
    beats = np.all([bound < margin for bound in worse_at_most], axis=0) & np.any(
        [bound < -margin for bound in worse_at_most], axis=0
    )
    best_first = [
        int(place) for place in np.argsort([_rank(one) for one in _means(objectives[0], questions[0])], kind="stable")
    ]
    winner: dict[int, int] = {}
    for place in reversed(best_first):  # one is left in any case, though three may beat each other in a circle
        rival = next((other for other in best_first if other not in winner and other != place and beats[place, other]), None)
        if rival is not None:
            winner[place] = rival
    return [_on_the_front(place, winner) if place in winner else None for place in range(len(objectives[0]))]


def _on_the_front(place: int, winner: dict[int, int]) -> int:
    while place in winner:
        place = winner[place]
    return place


def _highest(candidates: Sequence[Candidate], question: Question) -> NDArray[np.float64]:
    """By how much the column's point is better than the row's at most."""
    keys = sorted({key for one in candidates for key in one.readings}, key=lambda key: (key.round, key.session))
    logs = matrix([one.readings for one in candidates], keys, more_is_better=question.more_is_better)
    return highest_at_every_look(logs) if question.raced else highest_by_rounds(moments(logs))


def _means(candidates: Sequence[Candidate], question: Question) -> list[float]:
    """The median of each, more being better; nan where there is none."""
    sign = 1.0 if question.more_is_better else -1.0
    return [math.nan if (value := one.summary["value"]) is None else sign * value for one in candidates]


def _rank(value: float) -> float:
    return math.inf if math.isnan(value) else -value
