"""What may be said of a point against the baseline: faster, slower, same, or inconclusive, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runner.analysis.statistics import MARGIN, Ratio, paired_ratio, rounds_to_settle
from runner.record.metric_schema import MetricName
from runner.record.metrics import trial_metrics
from runner.record.sweep_schema import ComparisonRecord, Verdict
from runner.record.trial_schema import GoodTrial, TrialRecord

# What is compared, and whether more of it is better.
COMPARED: Mapping[MetricName, bool] = {
    "images_per_s": True,
    "startup_s": False,
    "cpu_s_per_image": False,
    "peak_memory_mb": False,
}

FASTER: Final = "faster"
SLOWER: Final = "slower"
SAME: Final = "same"
INCONCLUSIVE: Final = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """One point against the baseline in one metric.

    Attributes:
        point, baseline: labels.
        metric: its name.
        ratio: point ÷ baseline with intervals; None where they have no round in common.
        verdict: ``faster`` means better and ``slower`` worse: more images a second, less start-up, CPU or memory.
        rounds_needed: how many rounds would give a verdict where there is none; None where no reasonable number would.
        voided: rounds in which one of the two failed or was measured apart from the other, so that there is no pair.
        hosts: those of the point and of the baseline, where they differ and were compared anyway; otherwise None.
    """

    point: str
    baseline: str
    metric: MetricName
    ratio: Ratio | None
    verdict: Verdict
    rounds_needed: int | None
    voided: tuple[int, ...]
    hosts: tuple[str, str] | None = None

    def record(self) -> ComparisonRecord:
        """As ``sweep.json`` has it: None for an interval without an end."""
        ratio = self.ratio
        return {
            "point": self.point,
            "baseline": self.baseline,
            "metric": self.metric,
            "ratio": None if ratio is None else ratio.ratio,
            "low": None if ratio is None else _finite(ratio.low),
            "high": None if ratio is None else _finite(ratio.high),
            "verdict": self.verdict,
            "n": 0 if ratio is None else ratio.n,
            "alpha": None if ratio is None else ratio.alpha,
            "robust": None if ratio is None else [ratio.robust_ratio, _finite(ratio.robust_low), _finite(ratio.robust_high)],
            "rounds_needed": self.rounds_needed,
            "voided_rounds": list(self.voided),
            "hosts": self.hosts and list(self.hosts),
        }


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a label, the records of its trials, and the host that they were measured on, where it is known."""

    label: str
    trials: Sequence[TrialRecord]
    host: str | None = None


def compare_sides(point: Side, baseline: Side, comparisons: int, *, across_hosts: bool = False) -> list[Comparison]:
    """Compare two points in every compared metric.

    Args:
        point: compared with the baseline.
        baseline: the other side.
        comparisons: how many points share the level.
        across_hosts: whether trials of one round on two hosts make pairs. Their differences then contain each host's own drift, which the
            interval does not.
    """
    apart = None not in {point.host, baseline.host} and point.host != baseline.host
    pairs = _pairs(point.trials, baseline.trials, any_block=across_hosts and apart, none=apart and not across_hosts)
    voided = tuple(number for number, pair in pairs.items() if pair is None)
    hosts = (str(point.host), str(baseline.host)) if apart and across_hosts else None
    values = [(trial_metrics(one), trial_metrics(other)) for one, other in filter(None, pairs.values())]
    comparisons_made = []
    for metric, more_is_better in COMPARED.items():
        both = [(one[metric] or 0.0, other[metric] or 0.0) for one, other in values]
        differences = [math.log(mine) - math.log(theirs) for mine, theirs in both if mine > 0 and theirs > 0]
        ratio = paired_ratio(differences, comparisons) if differences else None
        verdict = verdict_on(ratio, more_is_better=more_is_better)
        needed = rounds_to_settle(ratio) if ratio is not None and verdict == INCONCLUSIVE else None
        comparisons_made.append(Comparison(point.label, baseline.label, metric, ratio, verdict, needed, voided, hosts))
    return comparisons_made


def _pairs(
    point: Sequence[TrialRecord], baseline: Sequence[TrialRecord], *, any_block: bool, none: bool
) -> dict[int, tuple[GoodTrial, GoodTrial] | None]:
    """For each round its pair, or None where one of the two is missing or failed, or they were not measured next to each other.

    Trials of different blocks are not next to each other: a round that was interrupted and resumed has no pairs across the gap.
    """
    mine, theirs = _by_round(point), _by_round(baseline)
    pairs: dict[int, tuple[GoodTrial, GoodTrial] | None] = {}
    for number in sorted(set(mine) | set(theirs)):
        one, other = mine.get(number), theirs.get(number)
        pairs[number] = None
        if one is not None and other is not None and one["status"] == "ok" and other["status"] == "ok":
            pairs[number] = (one, other) if not none and (any_block or one["session"] == other["session"]) else None
    return pairs


def verdict_on(ratio: Ratio | None, *, more_is_better: bool) -> Verdict:
    """The verdict that both intervals support; ``inconclusive`` where they do not agree on one."""
    if ratio is None:
        return INCONCLUSIVE
    upper, lower = 1 + MARGIN, 1 / (1 + MARGIN)
    if min(ratio.low, ratio.robust_low) > 1 and ratio.ratio >= upper:
        return FASTER if more_is_better else SLOWER
    if max(ratio.high, ratio.robust_high) < 1 and ratio.ratio <= lower:
        return SLOWER if more_is_better else FASTER
    if lower < min(ratio.low, ratio.robust_low) and max(ratio.high, ratio.robust_high) < upper:
        return SAME
    return INCONCLUSIVE


def _by_round(trials: Sequence[TrialRecord]) -> dict[int, TrialRecord]:
    return {trial["round"]: trial for trial in trials}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
