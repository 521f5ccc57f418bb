"""The rows of a point's images and of its ``samples.csv``, read back; a few megabytes of them at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from runner.errors import RunnerError, type_and_first_line
from runner.outside import in_one_line, plain_file
from runner.record import parquet
from runner.record.limits import LARGEST

# More rows of images are not read for a picture: a distribution does not change any more.
MOST_ROWS = 400_000

# With these, a cell of a table is calculated (OWASP, CSV injection).
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_STAGES = ("read_s", "task_s", "sink_s")
_ROWS_AT_ONCE = 1 << 16


def image_rows(folder: Path, columns: Sequence[str], number: int | None = None) -> Iterator[Any]:
    """These columns of the rows of a point's images, as Arrow record batches; those of one trial, or of all in the order of rounds.

    Rounds that have no file of their own are in ``images.csv``, in records of an earlier version.

    Raises:
        RunnerError: a file cannot be read.
    """
    import pyarrow as pa

    files = parquet.files_in(folder)
    text = plain_file(folder, parquet.TEXT_FILE)
    path = folder / parquet.TEXT_FILE
    try:
        if number not in files and text is not None and text.stat().st_size:
            yield from _from_text(text, columns, number, list(files))
        for path in [file for round_, file in files.items() if number in {None, round_}]:
            yield from _from_parquet(path, columns)
    except (OSError, pa.ArrowException) as error:
        raise RunnerError(f"{path}: cannot be read as the rows of images: {error}") from error


def image_files(folder: Path, rounds: Sequence[int]) -> list[Path]:
    """The files with the rows of these rounds."""
    files = parquet.files_in(folder)
    text = plain_file(folder, parquet.TEXT_FILE)
    in_text = [text] if text is not None and any(number not in files for number in rounds) else []
    return [*in_text, *(files[number] for number in rounds if number in files)]


def latencies_ms(folder: Path) -> Any:
    """Of each image of the timed epochs that succeeded, from the start of its read to the end of its sink, in milliseconds, sorted.

    An array of float64; empty where nothing was kept.

    Raises:
        RunnerError: what was kept cannot be read.
    """
    import numpy as np

    latencies_s, left = [np.empty(0)], MOST_ROWS
    for batch in image_rows(folder, ("status", *_STAGES)):
        rows = batch.slice(0, left)
        left -= len(rows)
        good = rows.filter(rows["status"].dictionary_decode().to_numpy(zero_copy_only=False) == "ok")
        latencies_s.append(sum(good[stage].to_numpy() for stage in _STAGES))
        if not left:
            break
    return np.sort(np.concatenate(latencies_s)) * 1e3


def images_of_trial(folder: Path, trial: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """The first ``most`` rows of a trial's last timed epoch, in the order of their start.

    Raises:
        RunnerError: they cannot be read.
    """
    import numpy as np

    last = len(trial["epochs"]) - 1
    first: list[dict[str, Any]] = []
    for batch in image_rows(folder, parquet.COLUMNS, trial["round"]):
        of_epoch = np.flatnonzero(batch["epoch"].to_numpy() == last)
        earliest = of_epoch[batch["start_s"].to_numpy()[of_epoch].argsort(kind="stable")[:most]]
        first = sorted([*first, *batch.take(earliest).to_pylist()], key=itemgetter("start_s"))[:most]
    return first


def first_images(folder: Path, trial: Mapping[str, Any], most: int) -> Iterator[dict[str, Any]]:
    """The first ``most`` rows of each timed epoch of a trial, in the order in which they are kept.

    Raises:
        RunnerError: they cannot be read.
    """
    import numpy as np

    left = np.full(len(trial["epochs"]), most)
    for batch in image_rows(folder, parquet.COLUMNS, trial["round"]):
        epochs = batch["epoch"].to_numpy()
        for epoch in np.unique(epochs):
            places = np.flatnonzero(epochs == epoch)[: left[epoch]]
            left[epoch] -= len(places)
            yield from batch.take(places).to_pylist()
        if not left.any():
            return


def write_csv(folder: Path, file: IO[str]) -> None:
    """Write the rows of all trials as text, the times in seconds with nine decimals.

    Raises:
        RunnerError: they cannot be read.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(parquet.COLUMNS)
    for batch in image_rows(folder, parquet.COLUMNS):
        columns = {name: batch[name].to_pylist() for name in parquet.COLUMNS}
        for name in ("image", "error", "node"):
            columns[name] = map(_as_text, columns[name])
        for name in parquet.TIMES:
            columns[name] = map("{:.9f}".format, columns[name])
        writer.writerows(zip(*columns.values(), strict=True))


def _as_text(value: str | None) -> str | None:
    """A text in one line, which a program for tables does not take for a formula: one that begins as those do gets an apostrophe before it."""
    if value is None:
        return None
    return in_one_line(f"'{value}" if value.startswith(_FORMULAS) else value)


def samples_of_trial(folder: Path, trial: Mapping[str, Any]) -> list[dict[str, str]]:
    """The monitor's samples of a trial, in the order of their time."""
    return _rows(folder, trial["round"])


def series(rows: Sequence[Mapping[str, str]], column: str, begin_s: float) -> tuple[list[float], list[float]]:
    """Seconds since ``begin_s``, a Unix time, and values of those rows that have one."""
    known = [row for row in rows if row.get(column)]
    return [float(row["unix_time_s"]) - begin_s for row in known], [float(row[column]) for row in known]


def _rows(folder: Path, number: int) -> list[dict[str, str]]:
    path = plain_file(folder, "samples.csv")
    if path is None:
        return []
    wanted = str(number)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["round"] == wanted]
        for row in rows:
            _check_sample(row)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise RunnerError(f"{path}: cannot be read as the monitor's samples: {type_and_first_line(error)}") from error
    return rows


def _check_sample(row: Mapping[str, str]) -> None:
    """Raise ValueError or TypeError where something else than numbers stands in a column of numbers."""
    for column, value in row.items():
        if column != "phase" and value and not -LARGEST < float(value) < LARGEST:
            raise ValueError(f"{column} is {value}")
    float(row["unix_time_s"])


def _from_parquet(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    # Opened here, because Arrow takes no name that is not UTF-8.
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        yield from file.iter_batches(_ROWS_AT_ONCE, columns=list(columns), use_threads=False)


def _from_text(path: Path, columns: Sequence[str], number: int | None, others: Sequence[int]) -> Iterator[Any]:
    """Rows of ``images.csv``: of the round ``number``, or of all rounds but ``others``."""
    import numpy as np
    from pyarrow import csv as text

    types = parquet.types()
    convert = text.ConvertOptions(
        column_types=types,
        include_columns=list(dict.fromkeys((*columns, "round"))),
        include_missing_columns=True,  # such as the node, which the first records did not have
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = text.ParseOptions(newlines_in_values=True)
    with path.open("rb") as opened, text.open_csv(opened, text.ReadOptions(use_threads=False), parse, convert) as file:
        for batch in file:
            rounds = batch["round"].to_numpy()
            wanted = ~np.isin(rounds, others) if number is None else rounds == number
            yield batch.take(np.flatnonzero(wanted)).select(list(columns))
