"""Warnings about settings: rounds, numbers of threads, and settings that were not applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from runner.analysis.stopping import ROUNDS_TO_PROVE
from runner.analysis.warnings.facts import PointFacts
from runner.config.cpus import cpus_of
from runner.config.options import NoConsumer, Protocol, Returns, TfDataCache
from runner.record.trial_schema import GoodTrial
from runner.record.warning import ResultWarning

# With fewer rounds there is no interval, let alone a verdict.
FEW_ROUNDS = 6


def nothing_provable(protocol: Protocol, points: int) -> list[ResultWarning]:
    """These rounds cannot prove a difference from the baseline; also checked before a sweep starts, while it can be changed."""
    if not protocol.verdicts or protocol.precision is not None or protocol.rounds >= ROUNDS_TO_PROVE or points < 2:
        return []
    return [
        ResultWarning(
            "too_few_rounds",
            f"{protocol.rounds} rounds cannot prove a difference from the baseline, however large it is",
            f"protocol.rounds={ROUNDS_TO_PROVE} or more",
        )
    ]


def few_rounds(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """There are too few rounds for an interval."""
    if len(good) >= FEW_ROUNDS or not good:
        return None
    rounds = "1 round gives" if len(good) == 1 else f"{len(good)} rounds give"
    return ResultWarning("few_rounds", f"{rounds} no interval", f"protocol=standard, or protocol.rounds={FEW_ROUNDS} or more")


def oversubscribed(point: PointFacts) -> ResultWarning | None:
    """There are more threads than CPUs."""
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
    """On a cluster: the host with the most workers for each of its CPUs, in any trial."""
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


def settings_not_applied(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The workers read back other numbers of TensorFlow threads than the configuration has."""
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


def cpus_not_applied(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The trial or its workers could use other CPUs than the configuration has."""
    wanted = None if point.config.affinity is None else cpus_of(point.config.affinity)
    odd = [trial["cpus"] for trial in good if wanted is not None and trial["cpus"] not in (None, list(wanted))]
    if not odd:
        return None
    return ResultWarning(
        "cpus_not_applied",
        f"the trial was to be kept to the CPUs {point.config.affinity}, but it and its workers read back {odd[0]}",
        "do not read these numbers as those of the setting",
    )


def returned_otherwise(point: PointFacts, good: Sequence[GoodTrial]) -> ResultWarning | None:
    """Some results came back pickled instead of in shared memory."""
    if getattr(point.config.mode, "returns", None) is not Returns.shared_memory and not _brought_back(point):
        return None
    ways = [trial["backend"].get("returned_by", {}) for trial in good]
    pickled, shared = (sum(counts.get(way, 0) for counts in ways) for way in ("pickle", "shared_memory"))
    if not pickled:
        return None
    return ResultWarning(
        "returned_otherwise",
        f"{pickled} of {pickled + shared} results did not fit into a slot of shared memory, and came back pickled",
        "do not read these numbers as those of mode.returns=shared_memory",
    )


def brought_back(point: PointFacts) -> ResultWarning | None:
    """Results come back from worker processes because a consumer takes them, though the configuration says that they stay."""
    if not _brought_back(point):
        return None
    return ResultWarning(
        "brought_back",
        "the consumer takes the results, so worker processes bring them back by mode.returns=shared_memory",
        "nothing to do; mode.returns=pickle takes the other way",
    )


def results_from_a_cache(point: PointFacts) -> ResultWarning | None:
    """Results are kept from the first pass on, so that later epochs measure no task."""
    cache = getattr(point.config.mode, "cache", None)
    if cache not in {TfDataCache.decoded, TfDataCache.file}:
        return None
    return ResultWarning(
        "results_from_a_cache",
        f"with mode.cache={cache.value} each pass after the first, warm-up included, takes its results out of the cache",
        "do not compare its images a second with those of points that do the task; mode.cache=bytes keeps only what was read",
    )


def _brought_back(point: PointFacts) -> bool:
    kept = getattr(point.config.mode, "returns", None) is Returns.digest
    return kept and not isinstance(point.config.consumer, NoConsumer)


def not_cold(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The page cache could not be put into the configured state."""
    caches = [cache for trial in good if (cache := trial.get("cache")) is not None and cache["cannot"] is not None]
    if not caches:
        return None
    return ResultWarning(
        "page_cache_as_it_was",
        f"the images could not all be made {caches[0]['kind']} before an epoch: {caches[0]['cannot']}",
        "do not read these numbers as those of the setting; images on a disk's file system, and Linux, can be dropped",
    )
