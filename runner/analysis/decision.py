"""The analysis of a sweep for values that something else has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from runner.analysis.best import LEAST_SESSIONS
from runner.analysis.conclusion import Candidate, Conclusion, Question, conclude
from runner.analysis.elsewhere import Measured
from runner.analysis.readings import Readings, differences
from runner.analysis.sessions import session_means_of
from runner.analysis.verdicts import PRIMARY, Comparison, in_family, paired
from runner.errors import ConfigurationError
from runner.record.metrics import summary
from runner.record.sweep_schema import DecisionJson, ValueComparison


@dataclass(frozen=True)
class Decision:
    """What was concluded from the values.

    Attributes:
        conclusion: the answer and the ranking.
        comparisons: of every point with the baseline.
        notes: what should be known beside it.
    """

    conclusion: Conclusion
    comparisons: list[Comparison]
    notes: list[str]

    def record(self) -> DecisionJson:
        """As ``runner decide --json`` prints it; with a race only where there was one."""
        record: DecisionJson = {
            "answer": self.conclusion.answer,
            "ranking": self.conclusion.ranking,
            "comparisons": [_record(one) for one in self.comparisons],
            "notes": self.notes,
        }
        if self.conclusion.race:
            record["race"] = self.conclusion.race
        return record


def decide(
    measured: Measured, *, more_is_better: bool, indifference: float, baseline: str | None = None, raced: bool = False
) -> Decision:
    """What a sweep with these values would say.

    Args:
        measured: the values.
        more_is_better: whether a larger value is better.
        indifference: by how much less than the best is as good: 0.05 is 5 %.
        baseline: the name of the point that the others are compared with; the first if None.
        raced: whether measuring stopped, or points dropped out, by what was seen: then the bounds hold at every look.

    Raises:
        KeyError: no point is called ``baseline``.
    """
    points: Mapping[str, Readings] = measured.readings()
    base = next(iter(points)) if baseline is None else baseline
    theirs = points[base]
    sessions = {key.session for readings in points.values() for key in readings}
    pooled = len(sessions) >= LEAST_SESSIONS and not raced
    kept = baseline if raced else None
    question = Question("value", more_is_better, "better", indifference, raced=raced, kept=kept, over_sessions=pooled)
    others = [name for name in points if name != base]
    begun = [Comparison(name, base, PRIMARY, None, more_is_better=more_is_better) for name in others]
    gaps = [(session_means_of if pooled else differences)(points[name], theirs) for name in others]
    compared = paired(begun, gaps, len(others), over_sessions=pooled)
    conclusion = conclude([_candidate(name, readings) for name, readings in points.items()], question)
    return Decision(
        conclusion, in_family(compared, len(compared)), [*measured.notes, *_notes(len(sessions), pooled=pooled, raced=raced)]
    )


def check_question(measured: Measured, *, indifference: float, baseline: str | None, before: str = "") -> None:
    """Refuse what cannot be asked of these values; ``before`` is what stands before the name of an option, such as ``--``.

    Raises:
        ConfigurationError: the indifference is out of range, or no point is called ``baseline``.
    """
    if not (math.isfinite(indifference) and 0 < indifference <= 1):
        raise ConfigurationError(f"{before}indifference", indifference, "is out of range", "a number above 0, up to 1")
    if baseline is not None and baseline not in measured.points:
        raise ConfigurationError(f"{before}baseline", baseline, "there is no such point", ", ".join(measured.points))


def _candidate(name: str, readings: Readings) -> Candidate:
    values = [math.exp(reading.log) for reading in readings.values()]
    return Candidate(name, name, readings, summary(values))


def _notes(sessions: int, *, pooled: bool, raced: bool) -> list[str]:
    if pooled:
        return [f"each of the {sessions} sessions is one value, so that what is said holds beyond them"]
    notes = (
        []
        if sessions == 1
        else [f"{sessions} sessions: what is said holds in them; with {LEAST_SESSIONS} or more it could hold beyond"]
    )
    if raced:
        notes.append("the verdicts against the baseline hold for rounds whose number was not chosen by what they showed")
    return notes


def _record(comparison: Comparison) -> ValueComparison:
    return {"metric": "value", **comparison.without_metric()}
