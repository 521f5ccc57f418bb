"""Rows of images made for a test."""

from __future__ import annotations

import io
from array import array
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.host.usage import Usage
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.record import parquet
from runner.record.rows import write_csv
from runner.record.trial_schema import GoodTrial
from runner.record.writing import PointFolder
from runner.trial.messages import EpochReport, Report
from support import made_records

US = 1_000  # nanoseconds


RELEASED = 10**15


IMAGES = [Image("/photos/a.jpg", "jpeg", 8, 8, "0"), Image("/photos/b.jpg", "jpeg", 8, 8, "1")]


def stamped(count: int, *, failed: Mapping[int, str] | None = None, first: int = 0) -> Records:
    """Records as they come, the last item first: 50 µs apart; 3 µs and a nanosecond to read, 20 µs for the task, 2 for the sink."""
    failed, values = failed or {}, array("q")
    for item in reversed(range(first, first + count)):
        start = RELEASED + item * 50 * US
        borders = (start, start + 3 * US + 1, start + 23 * US + 1, start + 25 * US + 1)
        values.extend((item, item % 2, 0, *borders, int(item not in failed)))
    return Records(values, dict(failed))


def report(*epochs: Records, node_of: Mapping[int, str] | None = None) -> Report:
    timed = [EpochReport(RELEASED, 2 * RELEASED, 1.0, Usage(), records) for records in epochs]
    return SimpleNamespace(epochs=tuple(timed), node_of=node_of or {})  # type: ignore[return-value]


def trial(number: int, *images: int) -> GoodTrial:
    """Of this round, with an epoch for each of ``images``, which is how many images it has."""
    epochs = [
        made_records.epoch(images_ok=count, released_at=100.0 + at, images_per_s=1.0, latency_p50_s=0.1)
        for at, count in enumerate(images)
    ]
    phases = [{**Usage().record(), "name": "epoch", "at": 100.0 + at, "wall_s": 1.0} for at in range(len(images))]
    return made_records.good_trial(round=number, epochs=epochs, phases=phases)


@pytest.fixture
def rows_folder(tmp_path: Path) -> Path:
    """Of a point with two trials of two epochs, in one of which an image fails."""
    at = tmp_path / "point"
    at.mkdir()
    for number in (0, 1):
        rows_of = report(stamped(4), stamped(4, failed={2: 'ValueError: bad,\n"very" bad'}), node_of={0: "one", 1: "two"})
        PointFolder(at).write_images(number, rows_of, IMAGES)
    trials = [trial(0, 4, 4), trial(1, 4, 4)]
    PointFolder(at).write_record(
        made_records.result(config=made_records.CONFIG, name="thread-w2", trials=trials, overrides=["workers=2"])
    )
    return at


def text_of(rows_folder: Path) -> str:
    file = io.StringIO()
    write_csv(rows_folder, file)
    return file.getvalue()


def as_an_older_version(rows_folder: Path) -> None:
    """Keep the rows as ``images.csv`` alone."""
    text = text_of(rows_folder)
    (rows_folder / "images.csv").write_text(text, encoding="utf-8", newline="")
    for path in parquet.files_in(rows_folder).values():
        path.unlink()
    (rows_folder / "images").rmdir()
