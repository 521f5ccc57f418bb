"""Every backend takes every source, every task and every sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from support.made_records import known
from support.photos import photo
from support.points import measured

from runner.config.options import (
    Asyncio,
    Execution,
    FileFormat,
    Loky,
    Pillow,
    Process,
    ProcessPool,
    Protocol,
    Ray,
    Sample,
    Sequential,
    Tensorflow,
    TfData,
    Tfrecord,
    Thread,
    ThreadPool,
    ToFile,
    ToHttp,
)
from runner.trial.supervisor import Supervisor

BACKENDS = [
    Sequential(),
    Thread(),
    ThreadPool(),
    Process(),
    ProcessPool(threads_per_worker=2),
    TfData(),
    Asyncio(),
    Loky(),
    Ray(),
]
PILLOW = Pillow(size=32, steps=["decode", "flip", "resize", "standardize"])
TASKS = [Tensorflow(size=32, execution=Execution.graph), PILLOW]


def tasks_of(mode: Any) -> list[Any]:
    """Only Pillow's where each worker would import TensorFlow."""
    return [PILLOW] if mode.name in {"loky", "ray"} else TASKS


def label(option: Any) -> str:
    return str(option.name)


@pytest.fixture(scope="module")
def digests() -> dict[str, set[str]]:
    """What each combination of source and task came to, which is to be the same in every backend."""
    return {}


@pytest.mark.parametrize(("mode", "task"), [(mode, task) for mode in BACKENDS for task in tasks_of(mode)], ids=label)
def test_downloads_and_results_that_are_sent(
    tmp_path: Path, supervisor: Supervisor, digests: dict[str, set[str]], mode: Any, task: Any
) -> None:
    source = Sample(serve=True, serve_latency_s=0.01)
    protocol = Protocol(rounds=1, epochs=2, warmup_epochs=1, timeout_s=240)
    subject = measured(tmp_path, supervisor, mode=mode, source=source, task=task, sink=ToHttp(), protocol=protocol)
    (trial,) = subject.trials
    assert trial["error"] is None
    assert [epoch["images_ok"] for epoch in trial["epochs"]] == [6, 6]
    sink_record = known(trial["sink"])
    assert sink_record["received"] == sink_record["sent"] == 18
    assert known(trial["services"]["image_server"]["cpu_s"]) > 0
    seen = digests.setdefault(f"served {task.name}", set())
    seen.add(trial["digest"])
    assert len(seen) == 1


@pytest.mark.parametrize("mode", BACKENDS, ids=label)
def test_examples_of_a_tfrecord_file_and_results_in_files(
    tmp_path: Path, supervisor: Supervisor, digests: dict[str, set[str]], mode: Any
) -> None:
    path = tmp_path / "photos.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in ("a.jpg", "b.png", "c.jpg"):
            value = tf.train.BytesList(value=[photo(tmp_path / name).read_bytes()])
            feature = {"image/encoded": tf.train.Feature(bytes_list=value)}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    sink = ToFile(format=FileFormat.tfrecord)
    source, task = Tfrecord(path=str(path)), tasks_of(mode)[0]
    subject = measured(tmp_path, supervisor, mode=mode, source=source, task=task, sink=sink)
    (trial,) = subject.trials
    assert trial["error"] is None
    assert [epoch["images_ok"] for epoch in trial["epochs"]] == [6, 6]
    sink_record = known(trial["sink"])
    assert sink_record["received"] == sink_record["sent"] == 18
    seen = digests.setdefault(f"tfrecord {task.name}", set())
    seen.add(trial["digest"])
    assert len(seen) == 1
