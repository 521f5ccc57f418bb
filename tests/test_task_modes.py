"""Every mode gives the same result; tasks of Python, BLAS and a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made_records import known
from support.tasks import ALL_STEPS, built, result, saved
from support.trials import Trials

from runner.config.options import (
    Dtype,
    Execution,
    Function,
    Inference,
    Math,
    Opencv,
    Pillow,
    Process,
    ProcessPool,
    Python,
    StartMethod,
    Tensorflow,
    Thread,
    ThreadPool,
)
from runner.config.registry import module_of
from runner.host.affinity import allowed_cpus
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.synthetic import photo_like
from runner.pipeline.tasks.arrays import roughly_hashed
from runner.record.gil import gil_record
from runner.record.trial import digest_of


@pytest.mark.parametrize(
    "task",
    [
        Tensorflow(steps=ALL_STEPS),
        Tensorflow(steps=ALL_STEPS, execution=Execution.graph),
        Pillow(steps=ALL_STEPS),
        Opencv(steps=ALL_STEPS),
        Python(size=8),
        Math(size=96, repeats=2),
        Inference(model="MobileNet", size=75),
        Function(function="support.my_functions:digest"),
    ],
    ids=lambda task: task.name,
)
def test_every_mode_gives_the_same_result(trials: Trials, task: Any) -> None:
    # Spawned workers import TensorFlow each: one of the four tasks that use it shows that it makes no difference.
    dear = isinstance(task, Inference | Function) or (isinstance(task, Tensorflow) and task.execution is Execution.eager)
    method = StartMethod.fork if dear else StartMethod.spawn
    modes = [
        (Thread(), (1, 1)),
        (ThreadPool(), (0, 0)),
        (Process(start_method=StartMethod.fork), (1, 1)),
        (Process(start_method=StartMethod.fork), (0, 0)),
        (ProcessPool(start_method=method, threads_per_worker=2), (2, 1)),
    ]
    digests = set()
    for mode, limits in modes:
        report = trials.report(mode, task=task, task_module=module_of("task", task.name), limits=limits)
        assert report.epochs[0].records.errors == {}
        assert report.verification.errors == {}
        assert len(set(report.verification.digests.values())) == 3
        digests.add(digest_of(report.verification))
        for worker in report.workers:
            uses = task.name in {"tensorflow", "inference", "function"}
            assert (worker.threads.intra_op, worker.threads.inter_op) == (limits if uses else (None, None))
            if task.name == "opencv":
                assert worker.threads.opencv == (limits[0] or len(allowed_cpus() or ()) or os.cpu_count())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("task", "depend"),
    [
        (Tensorflow(), False),
        (Tensorflow(size=1000), True),
        (Tensorflow(steps=["decode", "crop", "resize"], size=1000), False),
        (Tensorflow(steps=["decode", "resize", "colour", "standardize"]), False),
        (Tensorflow(steps=["decode", "colour", "resize"]), True),
        (Tensorflow(steps=["decode", "standardize"]), True),
        (Opencv(steps=["decode", "standardize"]), False),
    ],
)
def test_means_over_whole_photographs_are_not_compared_bit_by_bit_between_thread_settings(task: Any, depend: bool) -> None:
    assert task.last_bits_depend_on_threads is depend


def test_a_worker_without_tensorflow_does_not_import_it() -> None:
    """What a worker that is spawned would have to; a forked one shares it with the fork server anyway."""
    modules = ", ".join(module_of("task", name) for name in ("pillow", "opencv", "python", "math"))
    script = f"import sys, runner.modes.process, {modules}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_python_averages_and_standardizes(tmp_path: Path) -> None:
    levels = photo_like(32, 32, (0, 0))
    made = result(Python(size=8), saved(tmp_path / "a.png", levels))
    means = levels.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    assert made.dtype == np.float32
    assert np.abs(made - (means - means.mean()) / means.std()).max() < 1e-5


def test_python_holds_the_interpreter_lock(trials: Trials) -> None:
    outcome = trials.outcome(Thread(), items=24, task=Python(size=64), task_module=module_of("task", "python"), gil_probe=True)
    assert outcome.report is not None
    gil = gil_record(outcome.report)
    assert gil is not None
    if not gil["excludes_cpu_wait"]:
        pytest.skip("this system does not tell the wait for a lock from that for a CPU")
    assert known(gil["held_pct"]) > 60


@pytest.mark.parametrize("dtype", Dtype)
def test_math_is_the_power_of_a_matrix_that_follows_from_the_digest(sample: Sequence[Image], dtype: Dtype) -> None:
    one, again, other = (result(Math(size=64, repeats=3, dtype=dtype), sample[index]) for index in (0, 0, 1))
    assert one.shape == (64,)
    assert one.dtype == np.float64
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    matrix = np.random.default_rng(int(sample[0].digest, 16)).random((64, 64), dtype.value).astype(float)
    expected = np.linalg.matrix_power((matrix - 0.5) * (12 / 64) ** 0.5, 4).sum(axis=1)
    assert np.allclose(one, expected, atol=1e-4 if dtype is Dtype.float32 else 1e-12)


@pytest.mark.parametrize("size", [333, 777])  # where the sums are split up among threads in other places
def test_a_rough_digest_does_not_depend_on_the_threads_of_blas(sample: Sequence[Image], size: int) -> None:
    from threadpoolctl import threadpool_limits

    task = built(Math(size=size, dtype=Dtype.float64), sample)
    digests = set()
    for threads in (1, 2, 3):
        with threadpool_limits(threads, "blas"):
            digests.add(task.digest(task.run(b"", sample[0])))
    assert len(digests) == 1


def test_a_rough_digest_overlooks_rounding_and_sees_the_rest() -> None:
    random = np.random.default_rng(0)
    overlooked = 0
    for _ in range(500):
        vector = random.standard_normal(1000)
        noise = random.standard_normal(1000) * 1e-6
        overlooked += roughly_hashed(vector) == roughly_hashed(vector + noise)
        assert roughly_hashed(vector) != roughly_hashed(vector[::-1])
        assert roughly_hashed(vector) != roughly_hashed(vector * 1.05)
        assert roughly_hashed(vector) != roughly_hashed(random.standard_normal(1000))
    assert overlooked >= 498
    assert roughly_hashed(np.zeros(3)) != roughly_hashed(np.zeros(4))
    assert roughly_hashed(np.array([np.nan])) == roughly_hashed(np.array([np.nan]))


def test_inference_has_the_same_weights_for_the_same_seed(sample: Sequence[Image]) -> None:
    one, again, other = (result(Inference(model="MobileNet", size=75, seed=seed), sample[0]) for seed in (0, 0, 1))
    assert one.shape == (1000,)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
