"""Comparisons in words: the same sentences in the terminal, in Markdown and wherever else they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from runner.record.metric_schema import MetricName, MetricSummary
from runner.record.sweep_schema import Compared, ComparisonRecord, ValueComparison

# For each compared metric: its name in a ratio, and the words for better and worse.
_NAMES: Mapping[str, tuple[str, str, str]] = {
    "images_per_s": ("images a second", "faster", "slower"),
    "startup_s": ("start-up", "sooner ready", "later ready"),
    "cpu_s_per_image": ("CPU an image", "less CPU", "more CPU"),
    "peak_memory_mb": ("memory", "less memory", "more memory"),
}


def metric_name(metric: MetricName | Literal["value"]) -> str:
    """The compared metric in words; its own name, where it was chosen as the objective."""
    return _words(metric)[0]


def _words(metric: str) -> tuple[str, str, str]:
    return _NAMES.get(metric, (metric, "better", "worse"))


def ratio_text(comparison: Compared) -> str:
    """``1.32 x [1.28, 1.37]``; a dash where there is no pair, and no interval where there are too few."""
    if comparison["ratio"] is None:
        return "-"
    if comparison["low"] is None or comparison["high"] is None:
        return f"{comparison['ratio']:.2f} x"
    low, high = comparison["low"], comparison["high"]
    digits = 3 if high / low < 1.1 else 2
    return f"{comparison['ratio']:.{digits}f} x [{low:.{digits}f}, {high:.{digits}f}]"


def verdict_text(comparison: ComparisonRecord | ValueComparison) -> str:
    """The verdict in the metric's own words, and where there is none, what would give one."""
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


def self_check_text(check: ComparisonRecord, *, trusted: bool) -> str:
    """The sanity check: what the baseline came to against itself."""
    said = f"sanity check: the baseline against itself came to {ratio_text(check)}"
    if trusted:
        return said
    return (
        f"{said}. That is a difference where there is none, as in about 4 of 100 sound sweeps: look at the machine, or take more rounds, "
        "before you rely on these verdicts"
    )


def noise_text(detectable_pct: float) -> str:
    """How noisy the sweep was: the difference that it could have shown."""
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
