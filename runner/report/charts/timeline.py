"""What each worker did and when, in the last timed epoch of a trial."""

from __future__ import annotations

from typing import Any

from runner.record.reading import median_trial
from runner.record.rows import images_of_trial
from runner.report.charts.stages import STAGES
from runner.report.paint import SERIES, WIDTH, figure, key_above
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most images, workers and points that are drawn; trace.json has more.
MOST_IMAGES = 400
MOST_WORKERS = 32
MOST_POINTS = 2

_COLOURS: dict[str, str] = dict(zip(STAGES, SERIES[:3], strict=True))


def draw(subject: Subject) -> Chart | None:
    """The chart; None if no image's times were kept."""
    shown = []
    for point in subject.shown_in_detail:
        trial = median_trial(point.record)
        if trial and (rows := images_of_trial(point.folder, trial, MOST_IMAGES)):
            shown.append((point, rows))
    shown = shown[:MOST_POINTS]
    if not shown:
        return None
    heights = [min(MOST_WORKERS, len({_worker_of(row) for row in rows})) for _, rows in shown]
    inches = [0.75 + 0.17 * max(2, height) for height in heights]
    with figure(len(shown), 1, size=(2 * WIDTH, sum(inches) + 0.3), height_ratios=inches) as (drawn, grid):
        for axes, (point, rows) in zip(grid[:, 0], shown, strict=True):
            _draw_workers(axes, rows)
            axes.set_title(point.label)
        grid[-1, 0].set_xlabel("milliseconds since the workers were released")
        words = "; ".join(
            f"{point.label}: {len(rows)} images on {height} workers"
            for (point, rows), height in zip(shown, heights, strict=True)
        )
        svg = as_svg(drawn, "timeline", f"Timeline of the workers. {words}.")
    caption = (
        "The last timed epoch of the median trial: a row for each worker, with its work from left to right. "
        f"At most {MOST_IMAGES} images are drawn; trace.json in the point's folder has more, for ui.perfetto.dev."
    )
    return Chart("timeline", "What the workers did", caption, words, svg, wide=True)


def _worker_of(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["node"] or "", row["worker"], row["thread"]


def _draw_workers(axes: Any, rows: list[dict[str, Any]]) -> None:
    workers = sorted({_worker_of(row) for row in rows})[:MOST_WORKERS]
    heights = {worker: len(workers) - 1 - place for place, worker in enumerate(workers)}
    spans: dict[str, dict[int, list[tuple[float, float]]]] = {stage: {} for stage in STAGES}
    for row in rows:
        height = heights.get(_worker_of(row))
        if height is None:
            continue
        at = row["start_s"] * 1e3
        for stage in STAGES:
            length = row[f"{stage}_s"] * 1e3
            spans[stage].setdefault(height, []).append((at, length))
            at += length
    named = _visible_stages(spans)
    for stage in STAGES:
        for height, drawn in spans[stage].items():
            axes.broken_barh(drawn, (height - 0.36, 0.72), facecolors=_COLOURS[stage], linewidth=0)
    key_above(axes, [(f"■ {stage}", _COLOURS[stage]) for stage in named])
    several = any(thread for _, _, thread in workers)
    step = max(1, len(workers) // 16)
    shown = workers[::step]
    names = [f"{worker}.{thread}" if several else str(worker) for _, worker, thread in shown]
    axes.set_yticks([heights[worker] for worker in shown], names)
    axes.set_ylim(-0.6, len(workers) - 0.4)
    axes.set_xlim(left=0)
    axes.set_ylabel("worker")
    axes.grid(visible=False, axis="y")


def _visible_stages(spans: dict[str, dict[int, list[tuple[float, float]]]]) -> list[str]:
    """The stages that are wide enough to be seen."""
    sums = {stage: sum(length for stretches in rows.values() for _, length in stretches) for stage, rows in spans.items()}
    whole = sum(sums.values()) or 1.0
    return [stage for stage in STAGES if sums[stage] / whole > 0.005]
