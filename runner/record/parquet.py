"""The rows of images as Parquet: a file for each trial, with a row for each image of each timed epoch.

Some twenty megabytes of it are in memory at any time, however many rows there are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from runner.outside import plain_file
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Columns
from runner.trial.messages import EpochReport, Report

FOLDER = "images"
_FILE = re.compile(r"round-\d{1,9}\.parquet")

# What held the rows of all trials in older records; with the same columns.
TEXT_FILE = "images.csv"

# Rows of an epoch that are sorted together by their item, and rows of a row group: 4 MB of records.
SORTED_TOGETHER = 1 << 16

# Times are kept as multiples of this. It is under a nanosecond, so that rounding to nine decimals gives back the nanoseconds that
# were measured; and the last bits of such a number are zero, so that it takes a third of the space.
_STEP_S = 2.0**-30

TIMES = {
    "start_s": "from the release of the epoch's workers to the start of the read",
    "read_s": "how long the read took",
    "task_s": "how long the task took",
    "sink_s": "how long the sink took",
}
_NUMBERS = {
    "round": "of the trial, from 0",
    "epoch": "of the timed epochs of the trial, from 0",
    "item": "number of the image in the epoch, from 0",
    "worker": "that handled it, from 0",
    "thread": "within the worker, from 0",
}
_LABELS = {
    "image": "the file's name",
    "node": "of a cluster; null where the worker was on no other",
    "status": "ok or failed",
    "error": "what went wrong; null where nothing did, and for some of very many failures",
}
COLUMNS = (
    "round", "epoch", "item", "image", "worker", "thread", "node", "status", "start_s", "read_s", "task_s", "sink_s",
    "error",
)  # fmt: skip


def file_of(folder: Path, number: int) -> Path:
    """Where the rows of the trial of round ``number`` lie, in a point's folder."""
    return folder / FOLDER / f"round-{number:05d}.parquet"


def files_in(folder: Path) -> dict[int, Path]:
    """The files that there are in a point's folder, by their round, in order."""
    names = [path.name for path in (folder / FOLDER).glob("round-*.parquet") if _FILE.fullmatch(path.name)]
    paths = filter(None, (plain_file(folder, f"{FOLDER}/{name}") for name in names))  # a link is not followed
    return dict(sorted((int(path.stem.removeprefix("round-")), path) for path in paths))


@functools.cache
def types() -> dict[str, Any]:
    """The Arrow type of each column."""
    import pyarrow as pa

    of_kind = {
        **dict.fromkeys(_NUMBERS, pa.int32()),
        **dict.fromkeys(_LABELS, pa.dictionary(pa.int32(), pa.string())),
        **dict.fromkeys(TIMES, pa.float64()),
    }
    return {name: of_kind[name] for name in COLUMNS}


def write(file: IO[bytes], number: int, report: Report, images: Sequence[Image]) -> None:
    """Write the rows of the trial of round ``number``.

    Within an epoch they are in the order of their items, of a larger one each ``SORTED_TOGETHER`` of them.
    """
    import pyarrow.parquet as pq

    with pq.ParquetWriter(
        file,
        _schema(),
        compression="zstd",
        use_dictionary=[*_LABELS, "round", "epoch", "worker", "thread"],
        column_encoding={"item": "DELTA_BINARY_PACKED", **dict.fromkeys(TIMES, "BYTE_STREAM_SPLIT")},
    ) as writer:
        for group in _row_groups(number, report, images):
            writer.write_table(group)


@functools.cache
def _schema() -> Any:
    import pyarrow as pa

    about = {
        **{name: {"description": meaning, "unit": "1"} for name, meaning in _NUMBERS.items()},
        **{name: {"description": meaning} for name, meaning in _LABELS.items()},
        **{name: {"description": meaning, "unit": "s"} for name, meaning in TIMES.items()},
    }
    fields = [pa.field(name, kind, metadata=about[name]) for name, kind in types().items()]
    order = f"by epoch and item; of an epoch with more than {SORTED_TOGETHER} images, each {SORTED_TOGETHER} rows by themselves"
    return pa.schema(fields, metadata={"times": "multiples of 2**-30 s; nine decimals are exact", "order": order})


class _Trial(NamedTuple):
    """What the rows of a trial have in common: its round, an Arrow array of the images' names, the node of each worker."""

    number: int
    names: Any
    node_of: Mapping[int, str]


def _row_groups(number: int, report: Report, images: Sequence[Image]) -> Iterator[Any]:
    """Tables of ``SORTED_TOGETHER`` rows to twice as many; small epochs share one."""
    trial = _Trial(number, _texts([image.name for image in images]), report.node_of)
    held: list[Any] = []
    room = SORTED_TOGETHER
    for epoch, timed in enumerate(report.epochs):
        for rows in timed.records.columns(SORTED_TOGETHER):
            held.append(_batch(trial, epoch, timed, rows))
            room -= len(rows.item)
            if room <= 0:
                yield _together(held)
                held, room = [], SORTED_TOGETHER
    if held:
        yield _together(held)


def _together(batches: Sequence[Any]) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches(batches, _schema()).unify_dictionaries()


def _batch(trial: _Trial, epoch: int, timed: EpochReport, rows: Columns) -> Any:
    import numpy as np
    import pyarrow as pa

    row = rows.taken(rows.item.argsort(kind="stable"))
    columns = {
        "round": np.full(len(row.item), trial.number),
        "epoch": np.full(len(row.item), epoch),
        "item": row.item,
        "image": trial.names.take(pa.array(row.item % len(trial.names))).dictionary_encode(),
        "worker": row.worker,
        "thread": row.thread,
        "node": _looked_up(row.worker, trial.node_of),
        "status": _labelled(1 - row.ok, ["ok", "failed"]),
        "start_s": _seconds(row.read_start - timed.released_ns),
        "read_s": _seconds(row.task_start - row.read_start),
        "task_s": _seconds(row.sink_start - row.task_start),
        "sink_s": _seconds(row.end - row.sink_start),
        "error": _looked_up(row.item, timed.records.errors),
    }
    arrays = [column if isinstance(column, pa.Array) else pa.array(column, types()[name]) for name, column in columns.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema())


def _seconds(nanoseconds: Any) -> Any:
    import numpy as np

    return np.rint(nanoseconds * (1e-9 / _STEP_S)) * _STEP_S


def _looked_up(values: Any, label_of: Mapping[int, str]) -> Any:
    """The label of each value; null where it has none."""
    import numpy as np

    if not label_of:
        return _labelled(np.full(len(values), -1), [])
    labels = list(dict.fromkeys(label_of.values()))
    code_of = {label: code for code, label in enumerate(labels)}
    known = np.array(sorted(label_of))
    codes = np.array([code_of[label_of[value]] for value in known.tolist()])
    places = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return _labelled(np.where(known[places] == values, codes[places], -1), labels)


def _labelled(codes: Any, labels: Sequence[str]) -> Any:
    """An array of labels from their codes; null where the code is -1."""
    import numpy as np
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=codes < 0), _texts(labels))


def _texts(texts: Sequence[str]) -> Any:
    """An array of them; the bytes of a file's name need not be UTF-8, as Arrow's texts are."""
    import pyarrow as pa

    return pa.array([text.encode("utf-8", "backslashreplace").decode() for text in texts], pa.string())
