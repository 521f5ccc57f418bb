"""The answer of a sweep and the ranking of its points, from what was measured of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from runner.analysis.answers import Answered, Apart, answer_text
from runner.analysis.best import LEAST_SESSIONS, by_session, matrix, moments, standing
from runner.analysis.racing import Race, Rules, race
from runner.analysis.readings import Readings
from runner.record.metric_schema import MetricSummary
from runner.record.sweep_schema import AnswerRecord, RaceRecord, RankedRecord, StandingState

# A cost that differs by less decides nothing.
COST_MARGIN = 0.05

# The leader of a race is compared with the best of so many other kinds, the nearest ones.
_KINDS = 2


@dataclass(frozen=True)
class Candidate:
    """A point that may be the answer.

    Attributes:
        label: its name in the record.
        shown: its name in a sentence, such as ``process × 2``.
        readings: of the metric that is asked for.
        summary: the metric's median over trials with its interval.
        cpu, memory: what it costs, in whatever unit; None where it is not known.
        failed: whether it did not come to its end, so that it cannot be taken.
        kind: its mode; the leader of a race is compared with the best of each other kind.
    """

    label: str
    shown: str
    readings: Readings
    summary: MetricSummary
    cpu: float | None = None
    memory: float | None = None
    failed: bool = False
    kind: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        criterion: by what, in the record: ``throughput``, or the name of a metric.
        more_is_better: whether a larger value is better.
        better: what a better one is in a sentence: ``faster``.
        indifference: by how much less than the best is as good: 0.05 is 5 %.
        raced: whether points dropped out along the way, so that the bounds have to hold at every look.
        kept: in a race, the label of the point that stays in whatever it comes to: a named baseline.
        over_sessions: whether each session is one value, where there are enough of them, so that the answer holds beyond them.
    """

    criterion: str
    more_is_better: bool
    better: str
    indifference: float
    raced: bool = False
    kept: str | None = None
    over_sessions: bool = False


@dataclass(frozen=True)
class Conclusion:
    """What was concluded.

    Attributes:
        answer, ranking, race: as ``sweep.json`` has them; the race is empty where there was none.
        recommended: the label of the point to take; None where there is none.
        behind: for each candidate's label: the best is better than it by at most this, as a logarithm; infinite where nothing can be said.
    """

    answer: AnswerRecord
    ranking: list[RankedRecord] = field(default_factory=list)
    race: list[RaceRecord] = field(default_factory=list)
    recommended: str | None = None
    behind: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Judged:
    """Where the candidates stand, however that was found."""

    behind: Sequence[float]
    beaten: Sequence[bool]
    out: dict[int, int]
    leader: int
    gaps: Sequence[float]
    common: Sequence[int]
    apart: Sequence[Apart] = ()


def conclude(candidates: Sequence[Candidate], question: Question) -> Conclusion:
    """The answer to ``question``, the ranking with the best first, and the point to take.

    Candidates that failed, and those that have no value, are no part of the ranking.
    """
    asked = [one for one in candidates if not one.failed and one.readings]
    left_out = [one.shown for one in candidates if one not in asked]
    if len(asked) < 2:
        only = asked[0] if asked else None
        text = answer_text(Answered(None if only is None else only.shown, question.better, left_out=left_out))
        answer: AnswerRecord = {
            "text": text,
            "best": None if only is None else only.label,
            "bound_pct": None,
            "criterion": question.criterion,
            "proven": False,
            "recommended": None if only is None else only.label,
            "recommended_bound_pct": None,
        }
        ranking = [] if only is None else [_ranked(only, math.inf, "leader", None, "there is no other point with results")]
        return Conclusion(answer, ranking, [], answer["recommended"], {})
    run = replayed(candidates, question) if question.raced else None
    judged = _by_rounds(asked, question) if run is None else _by_race(run, candidates, asked, question)
    take = cheapest(asked, judged.behind, question.indifference)
    lead = judged.leader
    answer = {
        "text": _text(asked, judged, take, question, left_out),
        "best": asked[lead].label,
        "bound_pct": _pct(judged.behind[lead]),
        "criterion": question.criterion,
        "proven": judged.behind[lead] <= math.log1p(question.indifference),
        "recommended": asked[take].label,
        "recommended_bound_pct": _pct(judged.behind[take]),
    }
    order = sorted(range(len(asked)), key=lambda place: (place != lead, judged.gaps[place]))
    ranking = [
        _ranked(asked[place], judged.behind[place], _state(judged, place), judged.out.get(place), _why(judged, place, question))
        for place in order
    ]
    looks = [] if run is None else race_records(run, candidates)
    return Conclusion(answer, ranking, looks, asked[take].label, {one.label: judged.behind[n] for n, one in enumerate(asked)})


def cheapest(candidates: Sequence[Candidate], behind: Sequence[float], indifference: float) -> int:
    """The place of the cheapest candidate that is proven to be as good as the best; of the one with the least bound where none is.

    Cheap is what takes little CPU, then little memory; differences of up to ``COST_MARGIN`` decide nothing, and then the bound does.
    """
    within = [place for place, bound in enumerate(behind) if bound <= math.log1p(indifference)]
    if not within:
        return min(range(len(candidates)), key=lambda place: behind[place])
    for cost in ("cpu", "memory"):
        costs = {place: getattr(candidates[place], cost) for place in within}
        known = [value for value in costs.values() if value is not None]
        if known:
            within = [
                place for place in within if (value := costs[place]) is not None and value <= min(known) * (1 + COST_MARGIN)
            ]
    return min(within, key=lambda place: behind[place])


def replayed(candidates: Sequence[Candidate], question: Question) -> Race:
    """The race of these candidates so far, its places those of the candidates; one that failed, or has no value, is no rival."""
    keys = sorted({key for one in candidates for key in one.readings}, key=lambda key: (key.round, key.session))
    logs = matrix([one.readings for one in candidates], keys, more_is_better=question.more_is_better)
    kept = next((place for place, one in enumerate(candidates) if one.label == question.kept), None)
    failed = frozenset(place for place, one in enumerate(candidates) if one.failed or not one.readings)
    return race(logs, Rules(question.indifference, kept), rounds=[key.round for key in keys], failed=failed)


def _by_race(run: Race, candidates: Sequence[Candidate], asked: Sequence[Candidate], question: Question) -> _Judged:
    places = [place for place, one in enumerate(candidates) if one in asked]
    keys = sorted({key for one in asked for key in one.readings})
    pairs = moments(matrix([one.readings for one in asked], keys, more_is_better=question.more_is_better))
    lead = places.index(run.looks[-1].leader)
    others = [place for place in places if place != run.looks[-1].leader]
    return _Judged(
        apart=_apart(run, candidates, others, kept=question.kept),
        behind=[run.behind[place] for place in places],
        beaten=[place in run.out for place in places],
        out={now: run.out[place] for now, place in enumerate(places) if place in run.out},
        leader=lead,
        gaps=np.nan_to_num(pairs.mean[:, lead], nan=np.inf).tolist(),
        common=pairs.count[:, lead].astype(int).tolist(),
    )


def _apart(run: Race, candidates: Sequence[Candidate], others: Sequence[int], *, kept: str | None) -> list[Apart]:
    """How far the leader of a race is above the best of each other kind, and above a baseline that was named."""
    lead = run.looks[-1].leader
    known = [place for place in others if math.isfinite(run.highest[place][lead]) and math.isfinite(run.highest[lead][place])]
    known.sort(key=lambda place: run.gaps[place][lead])
    kinds = [kind for kind in dict.fromkeys(candidates[place].kind for place in known) if kind != candidates[lead].kind]
    best = {
        next(place for place in known if candidates[place].kind == kind): f", the best with {kind}" for kind in kinds[:_KINDS]
    }
    best |= {place: "" for place in known if candidates[place].label == kept and place not in best}
    said = []
    for place, what in best.items():
        one = candidates[place]
        ratio, low, high = map(math.exp, (run.gaps[place][lead], -run.highest[lead][place], run.highest[place][lead]))
        cpu, memory = _share(candidates[lead].cpu, one.cpu), _share(candidates[lead].memory, one.memory)
        said.append(Apart(one.shown + what, ratio, low, high, cpu_share=cpu, memory_share=memory))
    return said


def _by_rounds(candidates: Sequence[Candidate], question: Question) -> _Judged:
    keys = sorted({key for one in candidates for key in one.readings})
    logs = matrix([one.readings for one in candidates], keys, more_is_better=question.more_is_better)
    sessions = [key.session for key in keys]
    pooled = question.over_sessions and len(set(sessions)) >= LEAST_SESSIONS
    found = standing(by_session(logs, sessions) if pooled else moments(logs))
    lead = found.leader
    gaps = np.where(np.isinf(found.gaps[:, lead]), 0.0, np.nan_to_num(found.gaps[:, lead], nan=np.inf))
    return _Judged(found.behind.tolist(), found.beaten.tolist(), {}, lead, gaps.tolist(), found.common.tolist())


def _text(candidates: Sequence[Candidate], judged: _Judged, take: int, question: Question, left_out: Sequence[str]) -> str:
    lead = judged.leader
    others = [place for place in range(len(candidates)) if place != lead]
    return answer_text(
        Answered(
            leader=candidates[lead].shown,
            better=question.better,
            bound=judged.behind[lead],
            proven=judged.behind[lead] <= math.log1p(question.indifference),
            others=len(others),
            other=candidates[others[0]].shown,
            take=None if take == lead else candidates[take].shown,
            take_bound=judged.behind[take],
            cpu_share=_share(candidates[take].cpu, candidates[lead].cpu),
            rounds=judged.common[lead],
            apart=judged.apart,
            left_out=left_out,
        )
    )


def _share(mine: float | None, others: float | None) -> float | None:
    return mine / others if mine is not None and others else None


def _state(judged: _Judged, place: int) -> StandingState:
    if place == judged.leader:
        return "leader"
    return "out" if judged.beaten[place] else "may_be_best"


def _why(judged: _Judged, place: int, question: Question) -> str | None:
    """Why there is no bound for a point; None where there is one."""
    if math.isfinite(judged.behind[place]):
        return None
    what = "sessions" if question.over_sessions and judged.common[place] < LEAST_SESSIONS else "rounds"
    return f"too few {what} in common with the others: {judged.common[place]}, it takes at least 2"


def _ranked(one: Candidate, behind: float, state: StandingState, out: int | None, why: str | None) -> RankedRecord:
    return {
        "point": one.label,
        "value": one.summary["value"],
        "low": one.summary["low"],
        "high": one.summary["high"],
        "below_best_at_most_pct": _pct(behind),
        "state": state,
        "out_in_round": out,
        "why": why,
    }


def race_records(run: Race, candidates: Sequence[Candidate]) -> list[RaceRecord]:
    """Each look of a race, as ``sweep.json`` has it."""
    return [
        {
            "round": look.round,
            "in": [candidates[place].label for place in look.inside],
            "leader": candidates[look.leader].label,
            "bound_pct": _pct(look.bound),
        }
        for look in run.looks
    ]


def _pct(bound: float) -> float | None:
    """A bound as per cent by which the best may be better; None where there is none."""
    return math.expm1(bound) * 100 if bound < 700 else None
