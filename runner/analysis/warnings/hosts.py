"""Warnings about points that were measured apart: on several hosts, or not interleaved with the baseline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from runner.analysis.warnings.facts import PointFacts
from runner.record.warning import ResultWarning


def of_hosts(points: Sequence[PointFacts], baseline: PointFacts) -> list[ResultWarning]:
    """The warnings about points that were measured apart from the baseline: they have no verdict, or one on machine and setting together."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for point in points:
        if point.host is not None:
            hosts[point.host].append(point.label)
    warnings = []
    if len(hosts) > 1:
        if baseline.config.compare_hosts:
            advice = (
                "they were compared all the same, as compare_hosts asks: a ratio is one of machine and setting together, and takes three sessions "
                "for a verdict"
            )
        else:
            advice = "there is no verdict on points of another host than the baseline's; compare_hosts=true gives one, of machine and setting together"
        where = "; ".join(f"{', '.join(names)} on {host}" for host, names in hosts.items())
        warnings.append(ResultWarning("different_hosts", f"the points were measured on {len(hosts)} hosts: {where}", advice))
    blocks = {trial["session"] for trial in baseline.trials}
    alone = [
        point.label
        for point in points
        if point.label != baseline.label
        and point.host == baseline.host is not None
        and blocks.isdisjoint(trial["session"] for trial in point.trials)
    ]
    if alone and baseline.config.protocol.verdicts:
        warnings.append(
            ResultWarning(
                "not_interleaved",
                f"there is no verdict on {', '.join(alone)}: what the machine did between their trials and the baseline's is in the ratio",
                "for verdicts, measure all points in one sweep on one host with hydra/launcher=rounds, which is the default",
            )
        )
    return warnings
