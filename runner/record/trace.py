"""A trial as a timeline in the Chrome trace-event format, which Perfetto (https://ui.perfetto.dev) and ``chrome://tracing`` open.

One row a worker with the stages of each image, one row with the trial's phases, and the monitor's series as counters. Made from
a point's own files alone. Of a large trial it shows a part, and says which, so that a browser can hold it and MLflow keeps little.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from runner.disk import write_atomically
from runner.errors import RunnerError
from runner.record.point_schema import ResultJson
from runner.record.reading import RESULT, median_trial, read_result
from runner.record.rows import first_images, samples_of_trial
from runner.record.trial_schema import TrialRecord

# An image has three events of 120 bytes; a sample has four, and one for each GPU; a phase has one.
MOST_IMAGES = 2_000
MOST_SAMPLES = 1_000
MOST_PHASES = 2_000

_STAGES = ("read", "task", "sink")
_COUNTERS = (
    ("CPU of the trial, %", "cpu_pct", 1.0),
    ("CPU of the host, %", "host_cpu_pct", 1.0),
    ("resident memory, MB", "rss_bytes", 1e-6),
    ("threads", "threads", 1.0),
)
# Process numbers in the trace: they only group rows.
_TRIAL, _WORKERS = 1, 2


def write_trace(folder: Path, number: int | None = None, most_images: int = MOST_IMAGES) -> int | None:
    """Write ``trace.json`` of one trial into a point's folder; returns its round, or None where there is no trial to show.

    Args:
        folder: of the point.
        number: the round; by default the trial whose images per second are the median's.
        most_images: how many images it may show: the first of each epoch.

    Raises:
        RunnerError: there is no record, no such round, or the rows of its images cannot be read.
    """
    record = read_result(folder / RESULT)
    trial = median_trial(record) if number is None else _trial_of(record, number, folder)
    if trial is None:
        return None
    left_out: list[str] = []
    events = list(_events(folder, trial, most_images, left_out))
    about = {"round": trial["round"], "overrides": " ".join(record["overrides"]), "left_out": left_out}

    def write(file: IO[str]) -> None:
        json.dump({"displayTimeUnit": "ms", "otherData": about, "traceEvents": events}, file, separators=(",", ":"))
        file.write("\n")

    write_atomically(folder / "trace.json", write)
    return trial["round"]


def _trial_of(record: ResultJson, number: int, folder: Path) -> TrialRecord:
    rounds = {trial["round"]: trial for trial in record["trials"]}
    if number not in rounds:
        there_are = ", ".join(map(str, rounds)) or "none"
        raise RunnerError(f"{folder}: there is no round {number}; its rounds are {there_are}")
    return rounds[number]


def _events(folder: Path, trial: TrialRecord, most_images: int, left_out: list[str]) -> Iterator[dict[str, Any]]:
    """All events; what is not among them is added to ``left_out``, in words."""
    origin = trial["phases"][0]["at"]

    def microseconds(at: float) -> float:
        return _in_eighths((at - origin) * 1e6)

    yield _name("process_name", _TRIAL, 0, f"trial, round {trial['round']}")
    yield _name("thread_name", _TRIAL, 0, "phases")
    yield from _phases(trial, microseconds, left_out)
    yield from _counters(folder, trial, microseconds, left_out)
    yield from _images(folder, trial, microseconds, most_images, left_out)
    yield _name("process_name", _WORKERS, 0, "workers" + (f"; left out: {'; '.join(left_out)}" if left_out else ""))


def _phases(trial: TrialRecord, microseconds: Any, left_out: list[str]) -> Iterator[dict[str, Any]]:
    epoch = 0
    if len(trial["phases"]) > MOST_PHASES:
        left_out.append(f"phases after the first {MOST_PHASES} of {len(trial['phases'])}")
    for phase, following in itertools.islice(itertools.pairwise([*trial["phases"], None]), MOST_PHASES):
        if phase is None or phase["wall_s"] is None:
            continue
        start = microseconds(phase["at"])
        # Where the next one begins: the wall clock is too coarse to add to, and what overlaps is drawn as nested.
        end = _in_eighths(start + phase["wall_s"] * 1e6) if following is None else microseconds(following["at"])
        name = phase["name"]
        if name == "epoch":
            name, epoch = f"epoch {epoch}", epoch + 1
        figures = {key: value for key, value in phase.items() if key not in {"name", "at", "wall_s"}}
        yield _span(name, (_TRIAL, 0), start, end, figures)


def _counters(folder: Path, trial: TrialRecord, microseconds: Any, left_out: list[str]) -> Iterator[dict[str, Any]]:
    samples = samples_of_trial(folder, trial)
    step = math.ceil(len(samples) / MOST_SAMPLES) or 1
    if step > 1:
        left_out.append(f"samples, of which one in {step} is shown")
    for row in samples[::step]:
        gpus = [key for key in row if key.startswith("gpu_") and key.endswith("_utilization_pct") and "own" not in key]
        for title, column, factor in (*_COUNTERS, *((f"GPU {key.split('_')[1]}, %", key, 1.0) for key in gpus)):
            if row.get(column):
                value = round(float(row[column]) * factor, 2)
                at = microseconds(float(row["unix_time_s"]))
                yield {"ph": "C", "name": title, "pid": _TRIAL, "tid": 0, "ts": at, "args": {"": value}}


def _images(folder: Path, trial: TrialRecord, microseconds: Any, most: int, left_out: list[str]) -> Iterator[dict[str, Any]]:
    epochs, shown = trial["epochs"], 0
    of_each = max(1, most // max(1, len(epochs)))
    places: dict[tuple[int, int], int] = {}
    for row in itertools.islice(first_images(folder, trial, of_each), most):
        shown += 1
        worker, thread = row["worker"], row["thread"]
        place = places.setdefault((worker, thread), worker * 1024 + thread)  # no worker has more threads
        at = microseconds(epochs[row["epoch"]]["released_at"]) + row["start_s"] * 1e6
        about = {"image": row["image"], "item": row["item"], "epoch": row["epoch"]}
        if row["error"]:
            about["error"] = row["error"]
        start = _in_eighths(at)
        for stage in _STAGES:
            at += row[f"{stage}_s"] * 1e6
            end = _in_eighths(at)
            yield _span(stage, (_WORKERS, place), start, end, about)
            start = end
    several = any(thread for _, thread in places)
    for (worker, thread), place in sorted(places.items()):
        title = f"worker {worker}, thread {thread}" if several else f"worker {worker}"
        yield _name("thread_name", _WORKERS, place, title)
        yield {"ph": "M", "name": "thread_sort_index", "pid": _WORKERS, "tid": place, "args": {"sort_index": place}}
    handled = sum(epoch["images_ok"] + epoch["images_failed"] for epoch in epochs)
    if handled > shown > 0:
        left_out.append(f"images after the first {of_each} of each epoch; there are {handled}")


def _in_eighths(microseconds: float) -> float:
    """The nearest eighth: with them start + duration is exact in binary, so that spans meet and never overlap by a rounding."""
    return round(microseconds * 8) / 8


def _span(name: str, where: tuple[int, int], start: float, end: float, about: Mapping[str, Any]) -> dict[str, Any]:
    process, row = where
    return {"ph": "X", "name": name, "pid": process, "tid": row, "ts": start, "dur": end - start, "args": about}


def _name(kind: str, process: int, row: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": row, "args": {"name": name}}
