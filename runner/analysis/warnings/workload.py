"""Warnings about the work: epochs that are too short, slow or uneven, threads that wait for the interpreter lock, and results that differ."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence

from runner.analysis.warnings.facts import PointFacts
from runner.config.plain import plain
from runner.record.failures import failed_in, in_words
from runner.record.trial_schema import GoodTrial
from runner.record.warning import ResultWarning

# An epoch under this is mostly start and end effects, and a clock's tick is 1 % of it.
SHORT_EPOCH_S = 0.1

# The first timed epoch against the median of the others, and the spread of trials (coefficient of variation).
SLOW_FIRST = 1.5
WIDE_SPREAD = 0.10

# The share of the time in which the interpreter lock is held, per cent, from which on it is what threads wait for.
GIL_HELD_PCT = 80.0


def short_epoch(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """An epoch is so short that its start and end distort it."""
    work_s = statistics.median(epoch["work_s"] for trial in good for epoch in trial["epochs"])
    if work_s >= SHORT_EPOCH_S:
        return None
    factor = max(2, round(2 * SHORT_EPOCH_S / work_s))
    return ResultWarning(
        "short_epoch",
        f"an epoch takes {work_s * 1000:.0f} ms, so short that its start and its end are a good part of it",
        f"give it {factor} times the images",
    )


def slow_first_epoch(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The first timed epoch is slower than the others."""
    ratios = [
        trial["epochs"][0]["work_s"] / statistics.median(epoch["work_s"] for epoch in trial["epochs"][1:])
        for trial in good
        if len(trial["epochs"]) > 1
    ]
    if not ratios or statistics.median(ratios) < SLOW_FIRST:
        return None
    return ResultWarning(
        "slow_first_epoch",
        f"the first timed epoch takes {statistics.median(ratios):.1f} times as long as the others",
        "one more of protocol.warmup_epochs",
    )


def wide_spread(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The trials differ widely among themselves."""
    values = [statistics.median(epoch["work_s"] for epoch in trial["epochs"]) for trial in good]
    if len(values) < 3 or (spread := statistics.stdev(values) / statistics.fmean(values)) < WIDE_SPREAD:
        return None
    return ResultWarning(
        "wide_spread",
        f"the trials differ by {spread * 100:.0f} % among themselves",
        "more rounds, longer epochs, or a quieter machine",
    )


def gil_bound(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """Threads wait for the interpreter lock."""
    seen = [(gil["wait_p50_ms"], held) for trial in good if (gil := trial["gil"]) and (held := gil["held_pct"]) is not None]
    if not seen or (held_pct := statistics.median(held for _, held in seen)) < GIL_HELD_PCT:
        return None
    wait_ms = statistics.median(wait for wait, _ in seen)
    return ResultWarning(
        "gil_bound",
        f"Python's interpreter lock was held in {held_pct:.0f} % of the time, and a waking thread waited {wait_ms:.1f} ms for it",
        "more threads do not help; processes do, or work that lets go of the lock, such as task.execution=graph",
    )


def images_failed(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """Some images failed."""
    failed, images = max(
        (epoch["images_failed"], epoch["images_failed"] + epoch["images_ok"]) for trial in good for epoch in trial["epochs"]
    )
    if not failed:
        return None
    return ResultWarning(
        "images_failed",
        f"{failed} of {images} images of an epoch failed: {in_words(failed_in(good))}",
        "they are not in images/s; leave them out with source.pattern, or take a task that can decode them",
    )


def results_differ(points: Sequence[PointFacts]) -> list[ResultWarning]:
    """Points have different results from the same images and task."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        task = {key: value for key, value in plain(point.config.task).items() if key != "execution"}
        threads = [point.config.tf.intra_op, point.config.affinity] if point.config.task.last_bits_depend_on_threads else None
        same = json.dumps([list(point.images), task, threads], sort_keys=True)
        for digest in {trial["digest"] for trial in point.trials if trial["digest"] is not None}:
            groups[same][digest].append(point.label)
    return [
        ResultWarning(
            "results_differ",
            "the results differ between points on the same images and task: "
            + "; ".join(f"{', '.join(sorted(set(names)))}: {digest[:12]}" for digest, names in digests.items()),
            "do not compare their times: they did not do the same work; look for what differs in their configurations",
        )
        for digests in groups.values()
        if len(digests) > 1
    ]
