"""The warning about a sweep whose best point may lie outside what it tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.analysis.warnings.facts import PointFacts
from runner.record.warning import ResultWarning


def at_the_edge(points: Sequence[PointFacts], leader: str | None) -> list[ResultWarning]:
    """The point that leads has the most workers, or the fewest, of the points that are like it in all else.

    Args:
        points: of the sweep.
        leader: the label of the point that leads; None where there is none.
    """
    best = next((point for point in points if point.label == leader), None)
    if best is None or best.config.mode.effective_workers(best.config.workers) != best.config.workers:
        return []
    workers = best.config.workers
    others = {
        point.config.workers
        for point in points
        if replace(point.config, workers=workers) == best.config and point.config.workers != workers
    }
    if not others or (min(others) < workers < max(others)) or workers == 1:
        return []
    end, wider = (
        ("most", [workers, 2 * workers, 4 * workers]) if workers > max(others) else ("fewest", _fewer(workers, min(others)))
    )
    return [
        ResultWarning(
            "edge_of_grid",
            f"{best.label} leads with the {end} workers that were tried, so that the best may lie beyond",
            f"try workers={','.join(map(str, wider))}",
        )
    ]


def _fewer(workers: int, above: int) -> list[int]:
    """Halves down to one, and the next that was tried."""
    fewer = [workers]
    while fewer[0] > 1:
        fewer.insert(0, fewer[0] // 2)
    return [*fewer, above]
