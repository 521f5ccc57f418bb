"""The answer to a sweep's question in a sentence or two, with an interval; or the statement that the data do not give one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.display.words import cut_short_text, ratio_text
from runner.record.metric_schema import MetricName
from runner.record.point_schema import WarningRecord
from runner.record.reading import PointRecord, spoken_name, value_of, was_cut_short
from runner.record.sweep_schema import ComparisonRecord
from runner.report.subject import Subject


def answer(subject: Subject) -> list[str]:
    """The answer, and after it sentences on what else the reader must know."""
    best = subject.best
    if best is None:
        return ["No point came to a result, so there is no answer.", *_state(subject)]
    if len(subject.points) == 1 and subject.expected == 1:
        return [_alone(best), *_state(subject)]
    if subject.answer is not None and subject.answer["bound_pct"] is not None:
        return [*_distrust(subject), subject.answer["text"], *_against_baseline(subject), *_state(subject)]
    if not subject.comparisons:
        return [_without_verdicts(subject, best), *_state(subject)]
    return [*_distrust(subject), _headline(subject, best), *_state(subject)]


def _alone(point: PointRecord) -> str:
    metric = point.record["metrics"]["images_per_s"]
    interval = "" if metric["low"] is None else f" [{metric['low']:.4g}, {metric['high']:.4g}]"
    return f"{_shown(point)} does {metric['value']:.4g}{interval} images a second."


def _without_verdicts(subject: Subject, best: PointRecord) -> str:
    rate = value_of(best, "images_per_s")
    if len(subject.good) == 1:
        return f"Only {_shown(best)} has results ({rate:.4g} images a second), so there is nothing to compare."
    return (
        f"The data do not say which is faster: the rounds are too few for verdicts. By its median {_shown(best)} is first, with {rate:.4g} "
        "images a second."
    )


def _against_baseline(subject: Subject) -> list[str]:
    """How much faster than the baseline the leading point is, and at what cost, if that is proven."""
    label = "" if subject.answer is None else str(subject.answer["best"])
    comparison = subject.comparison(label, "images_per_s")
    if comparison is None or comparison["verdict"] != "faster":
        return []
    return [_headline(subject, subject.by_label[label])]


def _headline(subject: Subject, best: PointRecord) -> str:
    baseline = subject.baseline or ""
    if best.label == baseline:
        return _baseline_is_best(subject, baseline)
    comparison = subject.comparison(best.label, "images_per_s")
    if comparison is None or comparison["ratio"] is None:
        return f"{_shown(best)} is first by its median, but has no round in common with {baseline}: the data do not say more."
    against = _named(subject, baseline)
    if hosts := comparison.get("hosts"):
        against += f" ({hosts[0]} against {hosts[1]}: machine and setting together)"
    match comparison["verdict"]:
        case "faster":
            return f"{_shown(best)} is {ratio_text(comparison).replace(' x', ' times')} as fast as {against}{_costs(subject, best.label)}."
        case "slower":  # its median is the largest, its rounds say otherwise
            return _baseline_is_best(subject, baseline)
        case "same":
            return (
                f"{_shown(best)}, first by its median, is within 2 % of {against}: it came to {ratio_text(comparison)} of it."
            )
    needed = comparison["rounds_needed"]
    settle = f"about {needed} rounds would settle it" if needed else "it would take more than 1000 rounds"
    return f"The data do not say which is fastest: {_shown(best)}, first by its median, came to {ratio_text(comparison)} of {against}; {settle}."


def _baseline_is_best(subject: Subject, baseline: str) -> str:
    others = [comparison for comparison in subject.comparisons if comparison["metric"] == "images_per_s"]
    slower = sum(comparison["verdict"] == "slower" for comparison in others)
    named = _named(subject, baseline)
    if slower == len(others):
        return (
            f"{named} is the fastest: all {len(others)} others are slower than it."
            if slower > 1
            else _one_slower(named, others[0])
        )
    return f"{named} is first by its median: of {len(others)} others {slower} are slower, and of the rest the data do not say."


def _one_slower(named: str, comparison: ComparisonRecord) -> str:
    return f"{named} is the faster: {comparison['point']} came to {ratio_text(comparison)} of it."


_COSTS: Mapping[MetricName, str] = {"peak_memory_mb": "the memory", "cpu_s_per_image": "the CPU time an image"}


def _costs(subject: Subject, label: str) -> str:
    """What the faster point costs in memory and CPU, as far as that is proven."""
    costs = []
    for metric, what in _COSTS.items():
        comparison = subject.comparison(label, metric)
        if comparison is not None and comparison["verdict"] in {"faster", "slower"} and comparison["ratio"] is not None:
            costs.append(f"{comparison['ratio']:.3g} times {what}")
    return f", and costs {' and '.join(costs)}" if costs else ""


def _distrust(subject: Subject) -> list[str]:
    if any(warning["kind"] == "results_differ" for warning in subject.warnings):
        return ["The results differ between points that did the same task on the same images: their times are not comparable."]
    if not subject.trusted:
        return [
            "The baseline came out different from itself, as happens in about 4 of 100 sound sweeps: check the machine before you rely on this."
        ]
    return []


def _state(subject: Subject) -> list[str]:
    sentences = []
    failed = [point.label for point in subject.points if point.record["status"] != "ok" and not _interrupted(point)]
    if failed:
        what = f"{failed[0]}" if len(failed) == 1 else f"{len(failed)} of {subject.expected} points"
        sentences.append(f"{what} failed; see below why.")
    if subject.cut_short and subject.expected == 1:
        sentences.append(f"The run was {cut_short_text(subject.points[0].record)}.")
    elif subject.cut_short:
        sentences.append(
            f"The sweep was cut short: {len(subject.points)} of {subject.expected} points have trials, and some have fewer than planned."
        )
    return sentences


def _interrupted(point: PointRecord) -> bool:
    return point.record["error"] is None or was_cut_short(point.record)


def _named(subject: Subject, label: str) -> str:
    return _shown(subject.by_label[label]) if label in subject.by_label else label


def _shown(point: PointRecord) -> str:
    return spoken_name(point.label, point.record["config"])


def warnings_by_kind(points: Sequence[PointRecord]) -> list[tuple[str, WarningRecord]]:
    """Each kind of warning once: the points that have it, in words, and the first point's warning."""
    kinds: dict[str, list[tuple[str, WarningRecord]]] = {}
    for point in points:
        for warning in point.record["warnings"]:
            kinds.setdefault(warning["kind"], []).append((point.label, warning))
    lines = []
    for tables in kinds.values():
        labels = [label for label, _ in tables]
        where = (
            "all points"
            if len(labels) == len(points) > 1
            else ", ".join(labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")
        )
        lines.append((where, tables[0][1]))
    return lines
