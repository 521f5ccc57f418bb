"""Comparisons in words; the terminal, Markdown and MLflow use the same sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from runner.record.metric_schema import MetricName, MetricSummary
from runner.record.point_schema import ResultJson
from runner.record.sweep_schema import Compared, ComparisonRecord, ValueComparison

# For each compared metric: its name in a ratio, and the words for better and worse.
_NAMES: Mapping[str, tuple[str, str, str]] = {
    "images_per_s": ("images a second", "faster", "slower"),
    "startup_s": ("start-up", "sooner ready", "later ready"),
    "cpu_s_per_image": ("CPU an image", "less CPU", "more CPU"),
    "peak_memory_mb": ("memory", "less memory", "more memory"),
    "accelerator_utilization_pct": ("accelerator utilization", "better fed", "worse fed"),
    "step_wait_ms": ("wait of a step", "shorter waits", "longer waits"),
}


def metric_name(metric: MetricName | Literal["value"]) -> str:
    """The compared metric in words, or its own name if there are no words for it."""
    return _words(metric)[0]


def _words(metric: str) -> tuple[str, str, str]:
    return _NAMES.get(metric, (metric, "better", "worse"))


def ratio_text(comparison: Compared) -> str:
    """``1.32 x [1.28, 1.37]``; a dash without pairs, and no interval with too few pairs."""
    if comparison["ratio"] is None:
        return "-"
    if comparison["low"] is None or comparison["high"] is None:
        return f"{comparison['ratio']:.2f} x"
    low, high = comparison["low"], comparison["high"]
    digits = 3 if high / low < 1.1 else 2
    return f"{comparison['ratio']:.{digits}f} x [{low:.{digits}f}, {high:.{digits}f}]"


def verdict_text(comparison: ComparisonRecord | ValueComparison) -> str:
    """The verdict in the metric's own words; without a verdict, what would give one."""
    _, better, worse = _words(comparison["metric"])
    match comparison["verdict"]:
        case "faster":
            return better
        case "slower":
            return worse
        case "same":
            return "same within 2 %"
    if why := comparison.get("why"):
        return f"no verdict: {why}"
    if comparison["ratio"] is None:
        return "no pairs"
    needed = comparison["rounds_needed"]
    return (
        f"inconclusive; about {needed} rounds would settle it"
        if needed
        else "inconclusive; it would take more than 1000 rounds"
        if comparison.get("sessions") is None
        else f"inconclusive over {comparison.get('sessions')} sessions"
    )


def cut_short_text(record: ResultJson) -> str:
    """After how many rounds a point was cut short: ``cut short after 10 of 200 rounds``."""
    protocol, done = record["config"]["protocol"], len(record["trials"])
    fixed = not protocol.get("race", False) and protocol.get("precision") is None
    planned = f" of {protocol['rounds']}" if fixed and "rounds" in protocol else ""
    return f"cut short after {done}{planned} rounds"


def self_check_text(check: ComparisonRecord, *, trusted: bool) -> str:
    """The sanity check in words: the ratio of the baseline to its own duplicate."""
    ratio = f"sanity check: the baseline against itself came to {ratio_text(check)}"
    if trusted:
        return ratio
    return (
        f"{ratio}. That is a difference where there is none, which happens in about 4 of 100 sound sweeps. Check the machine, or run more rounds, "
        "before you rely on these verdicts"
    )


def noise_text(detectable_pct: float) -> str:
    """The noise of the sweep in words: the smallest difference that it could have shown."""
    return f"noise: a difference of {detectable_pct:.2g} % from the baseline would have been found in four of five such sweeps"


def with_interval(metric: MetricSummary) -> str:
    """``12.3 [12.0, 12.9]``, or the value alone where there are too few trials for an interval."""
    if metric["value"] is None:
        return "unknown"
    if metric["low"] is None or metric["high"] is None:
        return _number(metric["value"])
    return f"{_number(metric['value'])} [{_number(metric['low'])}, {_number(metric['high'])}]"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3 if abs(value) >= 0.01 else 5
    return f"{value:.{digits}f}"
