"""What holds beyond one session: each session of each host is one value.

What a host does in a session is in every difference of that session, however many rounds it has: their interval is that of the session, and
the more rounds, the surer it is of something that will be another next time. So rounds are averaged, and the interval is over sessions (the
top level of Kalibera & Jones, 2013).
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

from runner.analysis.readings import Readings
from runner.analysis.statistics import ALPHA, Ratio, t_quantile

# Fewer sessions say nothing of what differs between them.
LEAST_SESSIONS = 3


def session_means(readings: Readings) -> list[float]:
    """The mean of the logarithms of each session."""
    sessions: dict[str, list[float]] = defaultdict(list)
    for key, reading in readings.items():
        sessions[key.session].append(reading.log)
    return [statistics.fmean(logs) for logs in sessions.values()]


def session_means_of(one: Readings, other: Readings) -> list[float]:
    """The mean difference of each session in which the two have rounds in common."""
    sessions: dict[str, list[float]] = defaultdict(list)
    for key in sorted(one.keys() & other.keys()):
        sessions[key.session].append(one[key].log - other[key].log)
    return [statistics.fmean(gaps) for gaps in sessions.values()]


def whole_difference(one: Readings, other: Readings) -> list[float]:
    """The difference of the means of two sides that were measured apart, as the only value; empty where a side has none."""
    if not one or not other:
        return []
    return [
        statistics.fmean(reading.log for reading in one.values()) - statistics.fmean(reading.log for reading in other.values())
    ]


def too_few(sessions: int) -> str | None:
    """Why there is no verdict from so many sessions; None where there may be one."""
    if sessions >= LEAST_SESSIONS:
        return None
    return f"{sessions} session{'' if sessions == 1 else 's'} cannot tell setting from session, it takes {LEAST_SESSIONS}"


def ratio_of_sessions(mine: Sequence[float], theirs: Sequence[float], comparisons: int = 1) -> Ratio | None:
    """The ratio of two sides that were never measured next to each other, by Welch's t over their sessions; None where a side has none.

    Without ``LEAST_SESSIONS`` on each side the interval is (0, inf).

    Args:
        mine: one mean of logarithms for each session.
        theirs: the same of the other side.
        comparisons: how many comparisons share the level.
    """
    if not mine or not theirs:
        return None
    n, gap, alpha = min(len(mine), len(theirs)), statistics.fmean(mine) - statistics.fmean(theirs), ALPHA / max(1, comparisons)
    half = math.inf
    if n >= LEAST_SESSIONS:
        parts = [(statistics.variance(side) / len(side), len(side) - 1) for side in (mine, theirs)]
        variance = sum(part for part, _ in parts)
        freedom = variance**2 / sum(part**2 / own for part, own in parts) if variance else math.inf
        half = t_quantile(1 - alpha / 2, freedom) * math.sqrt(variance)
    ratio, low, high = (math.exp(gap), math.exp(gap - half), math.exp(gap + half) if half < math.inf else math.inf)
    return Ratio(n, ratio, low, high, ratio, low, high, math.nan, alpha)
