"""Every mode does the same work: real TensorFlow, real processes, equal results."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.trials import Trials

from runner.config.options import (
    Asyncio,
    DctMethod,
    Execution,
    Loky,
    Parallelism,
    Process,
    ProcessPool,
    Sequential,
    StartMethod,
    SyntheticProcess,
    Tensorflow,
    TfData,
    Thread,
    ThreadPool,
)
from runner.host.affinity import allowed_cpus
from runner.pipeline.sources import images_of
from runner.pipeline.sources.image import inspect
from runner.pipeline.sources.synthetic import photo_like
from runner.record.trial import digest_of
from runner.trial.supervisor import Supervisor

MODES = [
    Sequential(),
    Thread(),
    ThreadPool(),
    SyntheticProcess(),
    Process(),
    ProcessPool(),
    Process(start_method=StartMethod.fork),
    Process(start_method=StartMethod.forkserver),
    Process(start_method=StartMethod.spawn),
    ProcessPool(start_method=StartMethod.forkserver),
    Process(threads_per_worker=3),
    ProcessPool(threads_per_worker=3),
    Asyncio(),
    Asyncio(decode_threads=3),
    Loky(),
    TfData(),
    TfData(parallelism=Parallelism.autotune, prefetch=-1),
]


def label(mode: Any) -> str:
    return "-".join(
        [mode.name, *([mode.start_method.value, str(mode.threads_per_worker)] if hasattr(mode, "start_method") else [])]
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What plain TensorFlow makes of the sample, computed beside this program, as the notebook did it."""
    script = """
import hashlib, json, sys
import tensorflow as tf
digests = []
for path in sys.argv[1:]:
    image = tf.io.read_file(path)
    image = tf.image.decode_jpeg(image, channels=3)
    image = tf.image.resize(image, [224, 224])
    array = tf.image.per_image_standardization(image).numpy()
    assert array.shape == (224, 224, 3) and abs(array.mean()) < 1e-4
    whole = hashlib.blake2b(b"<f4(224, 224, 3)", digest_size=16)
    whole.update(array.tobytes())
    digests.append(whole.digest())
whole = hashlib.blake2b(digest_size=16)
for digest in digests:
    whole.update(len(digest).to_bytes(4, "big") + digest)
print(whole.hexdigest())
"""
    from runner.config.options import Sample

    paths = [image.path for image in images_of(Sample(), 3)]
    answer = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, timeout=120, check=True)
    return {"digest": answer.stdout.strip()}


@pytest.mark.parametrize("mode", MODES, ids=label)
def test_every_mode_handles_each_image_once_and_gives_the_notebooks_result(
    trials: Trials, mode: Any, expected: dict[str, Any]
) -> None:
    report = trials.report(mode, workers=2, items=8, epochs=2, warmup_epochs=1, limits=(1, 1))
    assert digest_of(report.verification) == expected["digest"]
    assert len(report.epochs) == 2
    for epoch in report.epochs:
        records = list(epoch.records)
        assert sorted(record.item for record in records) == list(range(8))
        assert epoch.records.errors == {}
        for record in records:
            stamps = (epoch.released_ns, record.read_start, record.task_start, record.sink_start, record.end)
            assert stamps == tuple(sorted(stamps))
            assert record.end <= epoch.finished_ns
        assert epoch.cpu_s > 0
    pids = {worker.pid for worker in report.workers}
    if ("process" in mode.name and mode.name != "synthetic_process") or mode.name == "loky":
        assert len(pids) == 2
        assert report.footprint.processes >= 3
    else:
        assert len(pids) == 1
        assert report.footprint.processes == 1
    assert os.getpid() not in pids


@pytest.mark.parametrize(
    ("mode", "limits"),
    [  # spawned workers import TensorFlow each: one setting is enough for them
        *itertools.product([Thread(), Process()], [(1, 1), (2, 3), (0, 0)]),
        (ProcessPool(start_method=StartMethod.spawn), (2, 3)),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else label(value),
)
def test_thread_settings_are_applied_and_read_back_from_every_worker(
    trials: Trials, mode: Any, limits: tuple[int, int]
) -> None:
    report = trials.report(mode, workers=2, items=2, limits=limits)
    for worker in report.workers:
        assert (worker.threads.intra_op, worker.threads.inter_op) == limits
        assert worker.threads.blas == (limits[0] or len(allowed_cpus() or ()) or os.cpu_count())


def test_a_synthetic_process_is_pinned_whatever_it_is_told(trials: Trials) -> None:
    (worker,) = trials.report(SyntheticProcess(), limits=(4, 4)).workers
    assert (worker.threads.intra_op, worker.threads.inter_op) == (1, 1)


def test_many_processes_with_many_threads_each_use_them_all(trials: Trials) -> None:
    report = trials.report(Process(threads_per_worker=3), workers=2, items=12)
    assert {(record.worker, record.thread) for record in report.epochs[0].records} == {
        (worker, thread) for worker in range(2) for thread in range(3)
    }


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=label)
def test_a_static_split_deals_the_images_out(trials: Trials, mode: Any) -> None:
    report = trials.report(mode, workers=3, items=9)
    assert {(record.item, record.worker) for record in report.epochs[0].records} == {(item, item % 3) for item in range(9)}


def test_a_graph_gives_the_same_result_as_eager_execution(trials: Trials, expected: dict[str, Any]) -> None:
    report = trials.report(Thread(), task=Tensorflow(execution=Execution.graph))
    assert digest_of(report.verification) == expected["digest"]


def test_options_of_the_task_change_the_result(trials: Trials, expected: dict[str, Any]) -> None:
    options = [
        Tensorflow(size=100),
        Tensorflow(channels=1),
        Tensorflow(ratio=2),
        Tensorflow(dct_method=DctMethod.accurate),
    ]
    digests = {digest_of(trials.report(Thread(), task=option).verification) for option in options}
    assert len(digests | {expected["digest"]}) == len(options) + 1


def test_jpeg_png_gif_bmp_and_animations_are_decoded(trials: Trials, tmp_path: Path) -> None:
    import PIL.Image

    picture = PIL.Image.fromarray(photo_like(64, 48, (0, 0)))
    paths = [tmp_path / f"a.{suffix}" for suffix in ("jpg", "png", "gif", "bmp", "webp")]
    for path in paths:
        picture.save(path)
    picture.save(tmp_path / "moving.gif", save_all=True, append_images=[picture.rotate(90)])
    images = [inspect(path) for path in [*paths, tmp_path / "moving.gif"]]
    assert [image.format for image in images] == ["jpeg", "png", "gif", "bmp", "webp", "gif"]
    for execution in Execution:
        report = trials.report(Thread(), images=images, items=6, task=Tensorflow(execution=execution))
        assert report.epochs[0].records.errors == {}
        assert report.verification.errors == {}
        # Lossless formats of the same picture give the same result.
        assert report.verification.digests[1] == report.verification.digests[3]


@pytest.mark.slow
def test_a_trial_can_be_spawned_where_there_is_no_fork(trials: Trials, expected: dict[str, Any]) -> None:
    """What Windows and macOS do: the trial and its workers are spawned, and nothing is inherited."""
    report = trials.report(ProcessPool(start_method=StartMethod.spawn), supervisor=Supervisor("spawn"))
    assert digest_of(report.verification) == expected["digest"]
    assert report.preload_s is None
    assert min(worker.import_s for worker in report.workers) > 0.5


def test_a_forked_worker_has_nothing_to_import(trials: Trials) -> None:
    report = trials.report(Process(start_method=StartMethod.fork))
    assert report.preload_s is not None
    assert max(worker.import_s for worker in report.workers) < report.preload_s / 10
