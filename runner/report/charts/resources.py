"""CPU, memory and GPU during a trial, with its phases."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from runner.record.reading import PointRecord, ended_phases, median_trial
from runner.record.rows import samples_of_trial, series
from runner.record.trial_schema import EndedPhase, GoodTrial, PhaseRecord
from runner.report.paint import GRID, QUIET, SERIES, WIDTH, figure
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most trials beside each other.
MOST = 2

# The phases that get a name, if there is room for it.
_PHASE_NAMES = {"startup": "start", "warmup": "warm-up", "epoch": "epoch", "verify": "check", "teardown": "end"}


def draw(subject: Subject) -> Chart | None:
    """The chart; None if the monitor was off."""
    shown = []
    for point in subject.shown_in_detail:
        trial = median_trial(point.record)
        rows = samples_of_trial(point.folder, trial) if trial else []
        if trial and any(row.get("cpu_pct") for row in rows):
            shown.append((point, trial, rows))
    shown = shown[:MOST]
    if not shown:
        return None
    gpus = sorted(
        {
            key
            for _, _, rows in shown
            for key in rows[0]
            if key.startswith("gpu_") and key.endswith("_utilization_pct") and "own" not in key
        }
    )
    rows_of_axes = 3 if gpus else 2
    with figure(rows_of_axes, len(shown), size=(WIDTH * len(shown), 1.55 * rows_of_axes + 0.8), sharex="col", sharey="row") as (
        drawn,
        grid,
    ):
        words = [_column(grid[:, column], *one, gpus) for column, one in enumerate(shown)]
        for axes in grid[:, 0]:
            axes.set_ylim(bottom=0)
        for axes, label in zip(grid[:, 0], ("CPU, % of one", "memory, MB", "GPU, %"), strict=False):
            axes.set_ylabel(label)
        svg = as_svg(drawn, "resources", f"CPU and memory over the time of a trial. {'; '.join(words)}.")
    caption = (
        "The median trial by throughput of each of these points. CPU: seconds that the trial and all its workers used per second between two "
        "samples; 100 % is one CPU. Shaded: the timed epochs. Memory counts each page once."
    )
    return Chart("resources", "CPU and memory over a trial", caption, "; ".join(words), svg, wide=len(shown) > 1)


def _column(axes: Any, point: PointRecord, trial: GoodTrial, rows: Sequence[Mapping[str, str]], gpus: Sequence[str]) -> str:
    phases = ended_phases(trial)
    begin = next((phase["at"] for phase in phases if phase["name"] == "startup"), phases[0]["at"] if phases else 0.0)
    end = phases[-1]["at"] + phases[-1]["wall_s"] - begin if phases else None
    for one in axes:
        _shade(one, phases, begin)
    axes[0].set_title(point.label, pad=16)
    _name_phases(axes[0], phases, begin, end)
    at, cpu = series(rows, "cpu_pct", begin)
    axes[0].plot(at, cpu, color=SERIES[0], marker=".", markersize=3)
    at_host, host = series(rows, "host_cpu_pct", begin)
    cpus = float(point.record["environment"].get("cpus") or trial["cpus_usable"])
    axes[0].plot(at_host, [value * cpus for value in host], color=QUIET, linewidth=0.9, linestyle=(0, (2, 2)))
    within = [(x, y) for x, y in zip(at_host, host, strict=True) if end is None or x <= end]
    if within:
        axes[0].annotate(
            "whole host", (within[-1][0], within[-1][1] * cpus), xytext=(5, 0), textcoords="offset points", color=QUIET, fontsize=8,
            va="center", annotation_clip=False,
        )  # fmt: skip
    at_memory, memory = series(rows, "memory_bytes", begin)
    pauses = [(phase["at"] - begin, size) for phase, size in _pauses(trial)]
    both = sorted([*zip(at_memory, memory, strict=True), *pauses])
    axes[1].plot([x for x, _ in both], [y * 1e-6 for _, y in both], color=SERIES[3], marker=".", markersize=3)
    for number, name in enumerate(gpus):
        at, load = series(rows, name, begin)
        axes[2].plot(at, load, color=SERIES[2 + number % 4], marker=".", markersize=3)
        axes[2].set_ylim(0, 105)
    axes[-1].set_xlabel("seconds since the start of the workers")
    if end is not None:
        axes[-1].set_xlim(min(-0.02 * end, -0.01), end * 1.02)
    peak = max(cpu, default=0.0)
    return f"{point.label}: at most {peak:.0f} % of one CPU"


def _pauses(trial: GoodTrial) -> list[tuple[PhaseRecord, int]]:
    pauses = [phase for phase in trial["phases"] if phase["name"] == "pause"]
    sizes = trial.get("memory_at_pauses_bytes", [])
    # Memory is read in the first and the last pause; other pauses are for the page cache.
    return [(pause, size) for pause, size in zip((pauses[:1] + pauses[-1:]), sizes, strict=False) if size is not None]


def _shade(axes: Any, phases: Sequence[EndedPhase], begin: float) -> None:
    for phase in phases:
        if phase["name"] == "epoch":
            axes.axvspan(phase["at"] - begin, phase["at"] - begin + phase["wall_s"], color=GRID, alpha=0.55, linewidth=0)


def _name_phases(axes: Any, phases: Sequence[EndedPhase], begin: float, end: float | None) -> None:
    """Name each run of one phase above the axes, if it is wide enough for its name."""
    for name, run in itertools.groupby(phases, key=lambda phase: phase["name"]):
        if name not in _PHASE_NAMES or not end:
            continue
        same = list(run)
        start, stop = same[0]["at"] - begin, same[-1]["at"] + same[-1]["wall_s"] - begin
        if (stop - start) / end > 0.07:
            axes.annotate(
                _PHASE_NAMES[name] + ("s" if len(same) > 1 and name == "epoch" else ""), ((start + stop) / 2, 1),
                xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points", ha="center", va="bottom", color=QUIET,
                fontsize=8,
            )  # fmt: skip
