"""Warnings about the rounds of a sweep, seen together."""

from __future__ import annotations

from collections.abc import Sequence

from runner.analysis.correlation import follows_itself, lag_1
from runner.analysis.verdicts import Comparison
from runner.record.metric_schema import MetricName
from runner.record.warning import ResultWarning


def of_rounds(comparisons: Sequence[Comparison], metric: MetricName) -> list[ResultWarning]:
    """The warning about points whose differences from the baseline, in this metric, follow each other from round to round."""
    asked = [one for one in comparisons if one.metric == metric and one.sessions is None]
    alike = [one for one in asked if follows_itself(one.differences, len(asked))]
    if not alike:
        return []
    worst = max(alike, key=lambda one: lag_1(one.differences))
    names = ", ".join(one.point for one in alike[:4]) + (f" and {len(alike) - 4} more" if len(alike) > 4 else "")
    return [
        ResultWarning(
            "correlated_rounds",
            f"the differences of {names} from the baseline are alike from one round to the next (lag-1 correlation up to "
            f"{lag_1(worst.differences):.1f}): something lasted that slowed one of the two, and the intervals hold for this session only",
            "run the sweep again at other times, and runner compare the three or more sweeps: each is one value then",
        )
    ]
