"""What a reader should know before believing the numbers, with what to do about it."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runner.analysis.stopping import rounds_to_prove
from runner.config.check import plain
from runner.config.cpus import cpus_of
from runner.config.options import Config, Protocol, Returns
from runner.record.trial_schema import GoodTrial, TrialRecord
from runner.record.warning import ResultWarning

# An epoch under this is mostly start and end effects, and a clock's tick is 1 % of it.
SHORT_EPOCH_S = 0.1

# Other programs, and time stolen by other virtual machines, in per cent of all CPUs during the timed work.
OTHER_LOAD_PCT = 10.0
STOLEN_PCT = 2.0

# The first timed epoch against the median of the others, and the spread of trials (coefficient of variation).
SLOW_FIRST = 1.5
WIDE_SPREAD = 0.10

# CPU seconds withheld by a quota, per second; time in which some task waited for memory, per cent.
THROTTLED = 0.02
MEMORY_PRESSURE_PCT = 5.0

# The highest frequency seen over the lowest; the share of the time without samples.
FREQUENCY_CHANGE = 0.10
GAPS = 0.2

# The share of the time in which the interpreter lock is held, per cent, from which on it is what threads wait for.
GIL_HELD_PCT = 80.0

# With fewer rounds there is no interval, let alone a verdict.
FEW_ROUNDS = 6


@dataclass(frozen=True)
class PointFacts:
    """What is known of a point, as far as these checks look at it.

    Attributes:
        label: its name in its sweep.
        config: its configuration.
        trials: the records of its trials.
        cpus_usable: how many CPUs a trial may use.
        host: on which it was measured; None where it was not.
        images: the digests of its different images.
    """

    label: str
    config: Config
    trials: Sequence[TrialRecord]
    cpus_usable: float
    host: str | None
    images: Sequence[str]


def of_point(point: PointFacts) -> list[ResultWarning]:
    """The warnings that one point by itself gives reason for."""
    good = [trial for trial in point.trials if trial["status"] == "ok"]
    found = [_few_rounds(good), _oversubscribed(point), _settings_not_applied(point, good), _cpus_not_applied(point, good)]
    found.append(_returned_otherwise(point, good))
    if good:
        found += [check(good) for check in _MEASURED]
    return [warning for warning in found if warning is not None]


def of_sweep(points: Sequence[PointFacts]) -> list[ResultWarning]:
    """The warnings that take more than one point: too few rounds for that many points, results that differ on the same images and task."""
    return [*nothing_provable(points[0].config.protocol, len(points)), *_results_differ(points)]


def of_hosts(points: Sequence[PointFacts], baseline: PointFacts) -> list[ResultWarning]:
    """Why points have no verdict against the baseline, or one of machine and setting together: they were measured apart."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for point in points:
        if point.host is not None:
            hosts[point.host].append(point.label)
    found = []
    if len(hosts) > 1:
        if baseline.config.compare_hosts:
            advice = "they were compared all the same, as compare_hosts asks: a ratio is one of machine and setting together"
        else:
            advice = "there is no verdict on points of another host than the baseline's; compare_hosts=true gives one, of machine and setting together"
        where = "; ".join(f"{', '.join(names)} on {host}" for host, names in hosts.items())
        found.append(ResultWarning("different_hosts", f"the points were measured on {len(hosts)} hosts: {where}", advice))
    blocks = {trial["session"] for trial in baseline.trials}
    alone = [
        point.label
        for point in points
        if point.label != baseline.label
        and point.host == baseline.host is not None
        and blocks.isdisjoint(trial["session"] for trial in point.trials)
    ]
    if alone and baseline.config.protocol.verdicts:
        found.append(
            ResultWarning(
                "not_interleaved",
                f"there is no verdict on {', '.join(alone)}: what the machine did between their trials and the baseline's is in the ratio",
                "for verdicts, measure all points in one sweep on one host with hydra/launcher=rounds, which is the default",
            )
        )
    return found


def nothing_provable(protocol: Protocol, points: int) -> list[ResultWarning]:
    """The warning that these rounds cannot prove anything among that many points; also given before a sweep starts, when it can be mended."""
    needed = rounds_to_prove(points)
    if not protocol.verdicts or protocol.precision is not None or protocol.rounds >= needed or points < 2:
        return []
    return [
        ResultWarning(
            "too_few_rounds",
            f"{protocol.rounds} rounds cannot prove a difference among {points} points, however large it is",
            f"protocol.rounds={needed}, or fewer points",
        )
    ]


def _results_differ(points: Sequence[PointFacts]) -> list[ResultWarning]:
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


def _few_rounds(good: Sequence[GoodTrial]) -> ResultWarning | None:
    if len(good) >= FEW_ROUNDS or not good:
        return None
    rounds = "1 round gives" if len(good) == 1 else f"{len(good)} rounds give"
    return ResultWarning("few_rounds", f"{rounds} no interval", f"protocol=standard, or protocol.rounds={FEW_ROUNDS} or more")


def _oversubscribed(point: PointFacts) -> ResultWarning | None:
    mode, usable_cpus = point.config.mode, point.cpus_usable
    if mode.joins_cluster:
        return _oversubscribed_hosts(point)
    threads = mode.computing_threads(point.config.workers, int(usable_cpus))
    inside = max(1, mode.tensorflow_threads(point.config.tf)[0])
    if threads is None or threads * inside <= usable_cpus:
        return None
    shown = f"{threads} workers' threads" + (f" with {inside} TensorFlow threads each" if inside > 1 else "")
    return ResultWarning(
        "oversubscribed",
        f"{shown} share {usable_cpus:g} CPU{'' if usable_cpus == 1 else 's'} that it may use",
        "more than there are CPUs helps only where workers wait, for a disk or a network; compare with fewer",
    )


def _oversubscribed_hosts(point: PointFacts) -> ResultWarning | None:
    """On a cluster: the host with the most workers to a CPU, in any trial."""
    inside, worst = max(1, point.config.mode.tensorflow_threads(point.config.tf)[0]), (1.0, "")
    for trial in point.trials:
        on_host: dict[str, int] = defaultdict(int)
        cpus = {node["host"]: node["cpus_usable"] for node in trial["nodes"] if node["cpus_usable"]}
        for node in trial["nodes"]:
            on_host[node["host"]] += (len(node["workers"]) - len(node["died"])) * inside
        for host, threads in on_host.items():
            if host in cpus:
                shown = f"on host {host} {threads} workers' threads share {cpus[host]:g} CPUs"
                worst = max(worst, (threads / cpus[host], shown))
    if not worst[1]:
        return None
    advice = "more than there are CPUs helps only where workers wait; fewer workers, or mode.placement=spread"
    return ResultWarning("oversubscribed", worst[1], advice)


def _settings_not_applied(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    wanted = point.config.mode.tensorflow_threads(point.config.tf)
    used = [trial["tf"] for trial in good if trial["tf"]["intra_op"] is not None]
    odd = [tf for tf in used if (tf["intra_op"], tf["inter_op"]) != wanted]
    if not odd:
        return None
    return ResultWarning(
        "settings_not_applied",
        f"TensorFlow's threads were to be {wanted[0]}/{wanted[1]}, but the workers read back {odd[0]}",
        "do not read these numbers as those of the settings",
    )


def _cpus_not_applied(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    wanted = None if point.config.affinity is None else cpus_of(point.config.affinity)
    odd = [trial["cpus"] for trial in good if wanted is not None and trial["cpus"] not in (None, list(wanted))]
    if not odd:
        return None
    return ResultWarning(
        "cpus_not_applied",
        f"the trial was to be kept to the CPUs {point.config.affinity}, but it and its workers read back {odd[0]}",
        "do not read these numbers as those of the setting",
    )


def _returned_otherwise(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    if getattr(point.config.mode, "returns", None) is not Returns.shared_memory:
        return None
    ways = [trial["backend"].get("returned_by", {}) for trial in good]
    pickled, shared = (sum(found.get(way, 0) for found in ways) for way in ("pickle", "shared_memory"))
    if not pickled:
        return None
    return ResultWarning(
        "returned_otherwise",
        f"{pickled} of {pickled + shared} results did not fit into a slot of shared memory, and came back pickled",
        "do not read these numbers as those of mode.returns=shared_memory",
    )


def _short_epoch(good: Sequence[GoodTrial]) -> ResultWarning | None:
    work_s = statistics.median(epoch["work_s"] for trial in good for epoch in trial["epochs"])
    if work_s >= SHORT_EPOCH_S:
        return None
    factor = max(2, round(2 * SHORT_EPOCH_S / work_s))
    return ResultWarning(
        "short_epoch",
        f"an epoch takes {work_s * 1000:.0f} ms, so short that its start and its end are a good part of it",
        f"give it {factor} times the images",
    )


def _other_load(good: Sequence[GoodTrial]) -> ResultWarning | None:
    others = _middle(good, "other_cpu_pct") or 0.0
    stolen = _middle(good, "stolen_pct") or 0.0
    if others < OTHER_LOAD_PCT and stolen < STOLEN_PCT:
        return None
    return ResultWarning(
        "other_load",
        f"during the trials other programs used {others:.0f} % of the host's CPUs, and {stolen:.0f} % was stolen by its neighbours",
        "end what else runs, or take more rounds",
    )


def _slow_first_epoch(good: Sequence[GoodTrial]) -> ResultWarning | None:
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


def _wide_spread(good: Sequence[GoodTrial]) -> ResultWarning | None:
    values = [statistics.median(epoch["work_s"] for epoch in trial["epochs"]) for trial in good]
    if len(values) < 3 or (spread := statistics.stdev(values) / statistics.fmean(values)) < WIDE_SPREAD:
        return None
    return ResultWarning(
        "wide_spread",
        f"the trials differ by {spread * 100:.0f} % among themselves",
        "more rounds, longer epochs, or a quieter machine",
    )


def _throttled(good: Sequence[GoodTrial]) -> ResultWarning | None:
    shares = [
        trial["host"]["throttled_s"] / wall_s
        for trial in good
        if trial["host"]["throttled_s"] is not None and (wall_s := sum(phase["wall_s"] or 0.0 for phase in trial["phases"]))
    ]
    if not shares or statistics.median(shares) < THROTTLED:
        return None
    return ResultWarning(
        "throttled",
        f"the control group was stopped at its CPU quota: {statistics.median(shares) * 100:.0f} CPU-seconds in 100 seconds",
        "these numbers are those of the quota; fewer workers, or a larger quota",
    )


def _short_of_memory(good: Sequence[GoodTrial]) -> ResultWarning | None:
    waited = _middle(good, "pressure_memory_pct")
    if waited is None or waited < MEMORY_PRESSURE_PCT:
        return None
    return ResultWarning(
        "short_of_memory",
        f"in {waited:.0f} % of the time some task of the host waited for memory",
        "fewer workers, or a machine with more memory",
    )


def _frequency_changed(good: Sequence[GoodTrial]) -> ResultWarning | None:
    seen = [trial["host"][name] for trial in good for name in ("frequency_mhz_before", "frequency_mhz_after")]
    known = [value for value in seen if value]
    if len(known) < 4 or max(known) < min(known) * (1 + FREQUENCY_CHANGE):
        return None
    return ResultWarning(
        "frequency_changed",
        f"the CPUs ran at {min(known):.0f} to {max(known):.0f} MHz around the trials",
        "fix the frequency (governor, turbo) where you may; otherwise more rounds",
    )


def _gaps(good: Sequence[GoodTrial]) -> ResultWarning | None:
    share = statistics.median(
        trial["monitor"]["gaps_s"] / wall_s
        for trial in good
        if (wall_s := sum(phase["wall_s"] or 0.0 for phase in trial["phases"]))
    )
    if share < GAPS:
        return None
    return ResultWarning(
        "gaps_in_samples",
        f"in {share * 100:.0f} % of the time samples are missing: the monitor did not get a CPU when it was due",
        "read peaks with care; times and CPU seconds are not touched",
    )


def _gil_bound(good: Sequence[GoodTrial]) -> ResultWarning | None:
    seen = [(gil["wait_p50_ms"], held) for trial in good if (gil := trial["gil"]) and (held := gil["held_pct"]) is not None]
    if not seen or (held_pct := statistics.median(held for _, held in seen)) < GIL_HELD_PCT:
        return None
    wait_ms = statistics.median(wait for wait, _ in seen)
    return ResultWarning(
        "gil_bound",
        f"Python's interpreter lock was held in {held_pct:.0f} % of the time, and a waking thread waited {wait_ms:.1f} ms for it",
        "more threads do not help; processes do, or work that lets go of the lock, such as task.execution=graph",
    )


def _not_cold(good: Sequence[GoodTrial]) -> ResultWarning | None:
    caches = [cache for trial in good if (cache := trial.get("cache")) is not None and cache["cannot"] is not None]
    if not caches:
        return None
    return ResultWarning(
        "page_cache_as_it_was",
        f"the images could not all be made {caches[0]['kind']} before an epoch: {caches[0]['cannot']}",
        "do not read these numbers as those of the setting; images on a disk's file system, and Linux, can be dropped",
    )


def _less_precise(good: Sequence[GoodTrial]) -> ResultWarning | None:
    trial = good[0]
    without = []
    if trial["peak_memory_method"] is None:
        without.append("memory is unknown")
    elif trial["peak_memory_method"] != "pss":
        without.append(f"memory is {_MEMORY_METHODS[trial['peak_memory_method']]}")
    if trial["host"]["other_cpu_pct"] is None:
        without.append("the load of other programs is unknown")
    if trial["epochs"][0]["read_bytes"] is None:
        without.append("bytes read and written are unknown")
    if trial["gil"] and trial["gil"]["held_pct"] is not None and not trial["gil"]["told_from_waiting_for_a_cpu"]:
        without.append("the wait for the interpreter lock contains that for a CPU")
    if not without:
        return None
    return ResultWarning("less_precise", "this system tells less: " + "; ".join(without), "read these figures as what they are")


_MEMORY_METHODS = {
    "uss": "the sum of each process's own pages, shared ones left out",
    "rss": "the sum of resident memory, shared pages counted for each process",
    "largest_rss": "the sum of the most that each process ever had resident, shared pages counted for each",
}


def _middle(good: Sequence[GoodTrial], name: Literal["other_cpu_pct", "stolen_pct", "pressure_memory_pct"]) -> float | None:
    """The median of a condition of the host over trials, None where none of them knows it."""
    known = [value for trial in good if (value := trial["host"][name]) is not None]
    return statistics.median(known) if known else None


_MEASURED = (
    _short_epoch,
    _other_load,
    _slow_first_epoch,
    _wide_spread,
    _throttled,
    _short_of_memory,
    _frequency_changed,
    _gaps,
    _gil_bound,
    _not_cold,
    _less_precise,
)
