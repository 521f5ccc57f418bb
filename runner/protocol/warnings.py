"""What a reader should know before believing the numbers, with what to do about it."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.check import plain
from runner.config.options import ProcessOption, Sequential, SyntheticProcess
from runner.point import Point

# An epoch under this is mostly start and end effects, and a clock's tick is 1 % of it.
SHORT_EPOCH_S = 0.1

# Other programs, and time stolen by other virtual machines, in per cent of all CPUs during the timed work.
OTHER_LOAD_PCT = 10.0
STOLEN_PCT = 2.0

# The first timed epoch against the median of the others, and the spread of trials (coefficient of variation).
SLOW_FIRST = 1.5
WIDE_SPREAD = 0.10

# With fewer rounds there is no interval, let alone a verdict.
FEW_ROUNDS = 6


@dataclass(frozen=True)
class Warning:  # noqa: A001  (the name that the record uses)
    """One thing to know.

    Attributes:
        kind: a word to look for; one of the functions' names below.
        message: what was seen.
        advice: what to do about it.
    """

    kind: str
    message: str
    advice: str

    def record(self) -> dict[str, str]:
        """As ``result.json`` and ``sweep.json`` have it."""
        return {"kind": self.kind, "message": self.message, "advice": self.advice}


def of_point(point: Point, usable_cpus: float) -> list[Warning]:
    """The warnings that one point by itself gives reason for."""
    good = [trial for trial in point.trials if trial["status"] == "ok"]
    checks = (_few_rounds(good), _oversubscribed(point, usable_cpus), _settings_not_applied(point, good))
    measured = (_short_epoch(good), _other_load(good), _slow_first_epoch(good), _wide_spread(good)) if good else ()
    return [warning for warning in (*checks, *measured) if warning is not None]


def of_sweep(points: Sequence[Point], labels: dict[int, str]) -> list[Warning]:
    """The warnings that take more than one point: results that differ on the same images and task."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        task = {key: value for key, value in plain(point.config.task).items() if key != "execution"}
        same = json.dumps([[image.digest for image in point.images], task], sort_keys=True)
        for digest in point.digests:
            groups[same][digest].append(labels[id(point)])
    return [
        Warning(
            "results_differ",
            "the results differ between points on the same images and task: "
            + "; ".join(f"{', '.join(sorted(set(names)))}: {digest[:12]}" for digest, names in digests.items()),
            "do not compare their times: they did not do the same work; look for what differs in their configurations",
        )
        for digests in groups.values()
        if len(digests) > 1
    ]


def _few_rounds(good: Sequence[dict[str, Any]]) -> Warning | None:
    if len(good) >= FEW_ROUNDS or not good:
        return None
    rounds = "1 round gives" if len(good) == 1 else f"{len(good)} rounds give"
    return Warning("few_rounds", f"{rounds} no interval", f"protocol=standard, or protocol.rounds={FEW_ROUNDS} or more")


def _oversubscribed(point: Point, usable_cpus: float) -> Warning | None:
    mode = point.config.mode
    if isinstance(mode, Sequential):
        return None
    threads = mode.threads_per_worker if isinstance(mode, ProcessOption) else 1
    inside = 1 if isinstance(mode, SyntheticProcess) else max(1, point.config.tf.intra_op)
    in_all = point.config.workers * threads
    if in_all * inside <= usable_cpus:
        return None
    shown = f"{in_all} workers' threads" if inside == 1 else f"{in_all} workers' threads with {inside} TensorFlow threads each"
    return Warning(
        "oversubscribed",
        f"{shown} share {usable_cpus:g} CPUs that this program may use",
        "more than there are CPUs helps only where workers wait, for a disk or a network; compare with fewer",
    )


def _settings_not_applied(point: Point, good: Sequence[dict[str, Any]]) -> Warning | None:
    tf = point.config.tf
    wanted = (1, 1) if isinstance(point.config.mode, SyntheticProcess) else (tf.intra_op, tf.inter_op)
    odd = [trial["tf"] for trial in good if (trial["tf"]["intra_op"], trial["tf"]["inter_op"]) != wanted]
    if not odd:
        return None
    return Warning(
        "settings_not_applied",
        f"TensorFlow's threads were to be {wanted[0]}/{wanted[1]}, but the workers read back {odd[0]}",
        "do not read these numbers as those of the settings",
    )


def _short_epoch(good: Sequence[dict[str, Any]]) -> Warning | None:
    work_s = statistics.median(epoch["work_s"] for trial in good for epoch in trial["epochs"])
    if work_s >= SHORT_EPOCH_S:
        return None
    factor = max(2, round(2 * SHORT_EPOCH_S / work_s))
    return Warning(
        "short_epoch",
        f"an epoch takes {work_s * 1000:.0f} ms, so short that its start and its end are a good part of it",
        f"give it {factor} times the images",
    )


def _other_load(good: Sequence[dict[str, Any]]) -> Warning | None:
    others = statistics.median(trial["host"]["other_cpu_pct"] for trial in good)
    stolen = statistics.median(trial["host"]["stolen_pct"] or 0.0 for trial in good)
    if others < OTHER_LOAD_PCT and stolen < STOLEN_PCT:
        return None
    return Warning(
        "other_load",
        f"during the trials other programs used {others:.0f} % of the host's CPUs, and {stolen:.0f} % was stolen by its neighbours",
        "end what else runs, or take more rounds",
    )


def _slow_first_epoch(good: Sequence[dict[str, Any]]) -> Warning | None:
    ratios = [
        trial["epochs"][0]["work_s"] / statistics.median(epoch["work_s"] for epoch in trial["epochs"][1:])
        for trial in good
        if len(trial["epochs"]) > 1
    ]
    if not ratios or statistics.median(ratios) < SLOW_FIRST:
        return None
    return Warning(
        "slow_first_epoch",
        f"the first timed epoch takes {statistics.median(ratios):.1f} times as long as the others",
        "one more of protocol.warmup_epochs",
    )


def _wide_spread(good: Sequence[dict[str, Any]]) -> Warning | None:
    values = [statistics.median(epoch["work_s"] for epoch in trial["epochs"]) for trial in good]
    if len(values) < 3 or (spread := statistics.stdev(values) / statistics.fmean(values)) < WIDE_SPREAD:
        return None
    return Warning(
        "wide_spread",
        f"the trials differ by {spread * 100:.0f} % among themselves",
        "more rounds, longer epochs, or a quieter machine",
    )
