"""The answer in a sentence that says what is known, and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.record.per_cent import pct_text


@dataclass(frozen=True)
class Apart:
    """How far the leader is above another point: ``ratio`` times as good, from ``low`` to ``high``, for so much of its CPU time and memory."""

    other: str
    ratio: float
    low: float
    high: float
    cpu_share: float | None = None
    memory_share: float | None = None


@dataclass(frozen=True)
class Answered:
    """What the sentence is made of.

    Attributes:
        leader: the point that leads; None where no point has a result.
        better: what a better point is: ``faster``.
        bound: nothing is better than the leader by more than this, as a logarithm; infinite where nothing can be said.
        proven: whether that is within the indifference.
        others: how many other points there are.
        other: one of them.
        take: the point that is recommended; None where that is the leader.
        take_bound: of that point.
        cpu_share: its CPU time ÷ that of the leader; None where it is not known.
        rounds: that the leader has in common with the others.
        apart: how far the leader is above the best of each other mode, and above a baseline that was named.
        left_out: points that failed, or have no result.
    """

    leader: str | None
    better: str
    bound: float = math.inf
    proven: bool = False
    others: int = 0
    other: str = ""
    take: str | None = None
    take_bound: float = math.inf
    cpu_share: float | None = None
    rounds: int = 0
    apart: Sequence[Apart] = ()
    left_out: Sequence[str] = ()


# What a better point is, the one that is better than all, and what the others are.
_WORDS = {"faster": ("fastest", "slower")}


def answer_text(answered: Answered) -> str:
    """One sentence; a second where a cheaper point is as good, a third where points are missing."""
    said = [_first(answered)]
    said += [_apart(answered, one) for one in answered.apart]
    if answered.take is not None and math.isfinite(answered.take_bound):
        cost = ""
        if answered.cpu_share is not None and answered.cpu_share < 1:
            cost = f" takes {answered.cpu_share:.2f} times the CPU, and"
        said.append(f"{answered.take}{cost} is as good: {_at_most(answered.take_bound, answered.better)} than it.")
    if answered.left_out and answered.leader is not None:
        names = ", ".join(answered.left_out[:3]) + (
            f" and {len(answered.left_out) - 3} more" if len(answered.left_out) > 3 else ""
        )
        said.append(f"Not among them, for want of results: {names}.")
    return " ".join(said)


def _apart(answered: Answered, one: Apart) -> str:
    digits = 3 if one.high / one.low < 1.1 else 2
    as_good = "as fast as" if answered.better == "faster" else "as good as"
    shares = ((one.cpu_share, "CPU time an image"), (one.memory_share, "memory"))
    costs = [_cost(share, what) for share, what in shares if share is not None]
    paid = f", with {' and '.join(costs)}" if costs else ""
    return f"It is {one.ratio:.{digits}f} times [{one.low:.{digits}f}, {one.high:.{digits}f}] {as_good} {one.other}{paid}."


def _cost(share: float, what: str) -> str:
    return f"about the same {what}" if f"{share:.1f}" == "1.0" else f"{share:.2g} times the {what}"


def _first(answered: Answered) -> str:
    leader, better = answered.leader, answered.better
    if leader is None:
        return "No point came to a result, so there is no answer."
    if not answered.others:
        return f"Only {leader} has results, so there is nothing to compare it with."
    if not math.isfinite(answered.bound):
        rounds = f"{answered.rounds} round{'' if answered.rounds == 1 else 's'} in common"
        return f"{leader} is first so far, but {rounds} with the others cannot tell a difference from chance."
    if answered.bound <= 0:
        best, worse = _WORDS.get(better, ("best", "worse"))
        others = answered.other if answered.others == 1 else f"each of the {answered.others} others"
        return f"{leader} is the {best}: {others} is {worse}."
    if answered.proven:
        return f"{leader} leads: {_at_most(answered.bound, better)}."
    return f"{leader} leads, but that is not proven: another may be up to {_pct(answered.bound)} {better}."


def _at_most(bound: float, better: str) -> str:
    return f"nothing is {better}" if bound <= 0 else f"nothing is more than {_pct(bound)} {better}"


def _pct(bound: float) -> str:
    return pct_text(math.expm1(bound) * 100)
