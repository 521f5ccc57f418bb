"""What a reader should know before believing the numbers, with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.analysis.warnings.facts import PointFacts
from runner.analysis.warnings.grid import at_the_edge
from runner.analysis.warnings.hosts import of_hosts
from runner.analysis.warnings.machine import (
    frequency_changed,
    gaps,
    less_precise,
    lock_is_back,
    other_load,
    short_of_memory,
    throttled,
)
from runner.analysis.warnings.rounds import of_rounds
from runner.analysis.warnings.settings import (
    brought_back,
    cpus_not_applied,
    few_rounds,
    not_cold,
    nothing_provable,
    oversubscribed,
    results_from_a_cache,
    returned_otherwise,
    settings_not_applied,
)
from runner.analysis.warnings.workload import (
    gil_bound,
    images_failed,
    results_differ,
    short_epoch,
    slow_first_epoch,
    wide_spread,
)
from runner.record.warning import ResultWarning

__all__ = ["PointFacts", "at_the_edge", "nothing_provable", "of_hosts", "of_point", "of_rounds", "of_sweep"]

# In the order in which a record lists them.
_MEASURED = (
    images_failed,
    short_epoch,
    other_load,
    slow_first_epoch,
    wide_spread,
    throttled,
    short_of_memory,
    frequency_changed,
    gaps,
    gil_bound,
    lock_is_back,
    not_cold,
    less_precise,
)


def of_point(point: PointFacts) -> list[ResultWarning]:
    """The warnings about one point by itself."""
    good = [trial for trial in point.trials if trial["status"] == "ok"]
    # A point that has left a race, or has won it, needs no more rounds.
    few = None if point.config.protocol.race else few_rounds(good)
    warnings = [few, oversubscribed(point), settings_not_applied(point, good), cpus_not_applied(point, good)]
    warnings += [brought_back(point), returned_otherwise(point, good), results_from_a_cache(point)]
    if good:
        warnings += [check(good) for check in _MEASURED]
    return [warning for warning in warnings if warning is not None]


def of_sweep(points: Sequence[PointFacts]) -> list[ResultWarning]:
    """The warnings about all points together: too few rounds to prove anything, different results from the same images and task."""
    return [*nothing_provable(points[0].config.protocol, len(points)), *results_differ(points)]
