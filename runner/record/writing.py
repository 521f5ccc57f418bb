"""Writes what was measured of a point into its folder: the record, the monitor's samples, a row for every image."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from runner.disk import make_folder, move, remove, write_atomically, write_bytes_atomically
from runner.host.environment import Difference
from runner.host.gpu import GpuSample
from runner.monitor.sampler import Sample
from runner.pipeline.sources.image import Image
from runner.record.reading import RESULT, SET_ASIDE
from runner.trial.messages import Report

_SAMPLE_COLUMNS = (
    "round", "unix_time_s", "phase", "gap_s", "cpu_pct", "host_cpu_pct", "rss_bytes", "memory_bytes", "pss_bytes", "threads",
    "processes",
)  # fmt: skip
_GPU_COLUMNS = tuple(spec.name for spec in fields(GpuSample))


@dataclass(frozen=True)
class Series:
    """The samples of one trial.

    Attributes:
        round: of the trial, from 0.
        wall_offset_s: what to add to the shared clock, in seconds, for the time of day (Unix time).
        samples: in order of time.
    """

    round: int
    wall_offset_s: float
    samples: Sequence[Sample]


class PointFolder:
    """The folder of a point; every file in it is written in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write ``result.json`` anew."""
        write_atomically(self.path / RESULT, lambda file: print(json.dumps(record, indent=1, allow_nan=False), file=file))

    def add_samples(self, series: Series, gpus: int) -> None:
        """Add the samples of one trial to ``samples.csv``; ``gpus`` is how many devices there are.

        Rows of the same round are replaced: a trial that was killed before its record was written has left them.
        """
        path = self.path / "samples.csv"

        def write(file: IO[str]) -> None:
            begin = not path.exists()
            if not begin:
                with path.open(encoding="utf-8", newline="") as before:
                    file.writelines(line for line in before if not line.startswith(f"{series.round},"))
            _write_samples(file, series, gpus, header=begin)

        write_atomically(path, write)

    def write_images(self, number: int, report: Report | None, images: Sequence[Image]) -> None:
        """Write the rows of the trial of round ``number``; one without a report has none, whatever an earlier attempt at it left."""
        from runner.record import parquet  # NumPy comes with it

        path = parquet.file_of(self.path, number)
        if report is None:
            remove(path)
            return
        make_folder(path.parent)
        write_bytes_atomically(path, lambda file: parquet.write(file, number, report, images))

    def set_aside(self, why: Sequence[Difference]) -> Path:
        """Move the record and all that was measured with it to a folder of its own in ``set_aside/``, which is returned.

        The record itself comes last, so that this is done again where it was not done to the end.

        Args:
            why: what has changed since.
        """
        from runner.record import parquet  # NumPy comes with it

        aside = self.path / SET_ASIDE
        number = next(number for number in itertools.count(1) if not (aside / str(number) / RESULT).exists())
        target = aside / str(number)
        make_folder(target)
        write_atomically(target / "differences.json", lambda file: print(json.dumps(list(why), indent=1), file=file))
        for name in ("samples.csv", parquet.TEXT_FILE, "trace.json", parquet.FOLDER, RESULT):
            if (self.path / name).exists():
                move(self.path / name, target / name)
        return target


def _write_samples(file: IO[str], series: Series, gpus: int, *, header: bool) -> None:
    """Write one trial's samples; empty fields were not read in that sample."""
    writer = csv.writer(file, lineterminator="\n")
    columns = [*_SAMPLE_COLUMNS, *(f"gpu_{index}_{what}" for index in range(gpus) for what in _GPU_COLUMNS)]
    if header:
        writer.writerow(columns)
    for sample in series.samples:
        row: list[object] = [series.round, f"{sample.at_ns * 1e-9 + series.wall_offset_s:.6f}"]
        row += [_rounded(getattr(sample, name)) for name in _SAMPLE_COLUMNS[2:]]
        row += [_rounded(getattr(gpu, name)) for gpu in sample.gpus for name in _GPU_COLUMNS]
        writer.writerow(row + [None] * (len(columns) - len(row)))


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
