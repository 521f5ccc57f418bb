"""Every task that is registered answers the same questions: a new one is asked them as soon as it is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support.composing import composed
from support.examples import Example, examples
from support.fresh_process import TensorflowImported, in_fresh_process
from support.photos import photo
from support.running import built_and_run, digests, task_of
from support.trials import Trials

from runner.config.options import Process, TaskOption
from runner.config.plain import plain
from runner.config.restore import choices_of
from runner.pipeline.sources import Image
from runner.pipeline.sources.image import inspect

TASKS = examples("task")
THREADS = 4


@pytest.fixture(scope="module")
def pictures(sample: Sequence[Image], tmp_path_factory: pytest.TempPathFactory) -> Sequence[Image]:
    """A photograph, and small pictures in formats that every decoder has."""
    folder = tmp_path_factory.mktemp("pictures")
    small = [inspect(photo(folder / f"small.{suffix}")) for suffix in ("jpg", "png")]
    return [sample[0], *small]


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskOption]:
    example: Example = request.param
    with ExitStack() as stack:
        yield cast("TaskOption", example.option(tmp_path_factory.mktemp("task"), stack))


@pytest.fixture(scope="module")
def built(task: TaskOption, pictures: Sequence[Image]) -> Any:
    """The task, built once in this process."""
    return task_of(task, pictures)


@pytest.fixture(scope="module")
def expected(built: Any, pictures: Sequence[Image]) -> list[bytes]:
    return digests(built, pictures)


def test_it_composes_from_its_choices_and_its_check_accepts_it(task: TaskOption) -> None:
    assert composed(*choices_of({"task": plain(task)})).task == task


def test_a_result_is_an_array_within_the_size_that_the_option_says(
    task: TaskOption, built: Any, pictures: Sequence[Image]
) -> None:
    for image in pictures:
        array = built.array(built.run(Path(image.path).read_bytes(), image))
        assert isinstance(array, np.ndarray)
        assert 0 < array.nbytes <= task.result_bytes(pictures)


def test_the_same_image_gives_the_same_digest_again_and_from_many_threads_at_the_same_time(
    built: Any, pictures: Sequence[Image], expected: list[bytes]
) -> None:
    assert all(isinstance(digest, bytes) and digest for digest in expected)
    with ThreadPoolExecutor(THREADS) as threads:
        again = list(threads.map(digests, [built] * THREADS, [pictures] * THREADS))
    assert again == [expected] * THREADS


def test_bytes_that_are_no_image_fail_by_themselves_and_the_task_goes_on_in_a_worker_with_the_same_results(
    trials: Trials, task: TaskOption, pictures: Sequence[Image], expected: list[bytes], tmp_path: Path
) -> None:
    """With one TensorFlow thread, where this process has as many as TensorFlow chooses."""
    photograph = Path(pictures[0].path).read_bytes()
    garbage = [b"", b"\xff\xd8\xff", b"GIF89a", bytes(range(256)) * 4, photograph[: len(photograph) // 2], b"BM" + photograph]
    for number, content in enumerate(garbage):
        (tmp_path / f"garbage-{number}.jpg").write_bytes(content)
    bad = [inspect(path) for path in sorted(tmp_path.glob("garbage-*.jpg"))]
    report = trials.report(
        Process(),
        workers=1,
        items=len(bad) + len(pictures),
        images=[*bad, *pictures],
        task=task,
        task_module=type(task).module(),
    )
    assert len(report.workers) == 1
    verified = report.verification.digests
    assert [verified[item] for item in range(len(bad), len(bad) + len(pictures))] == expected
    failed = {item for item in verified if verified[item].startswith(b"failed: ")}
    assert failed == {record.item for epoch in report.epochs for record in epoch.records if not record.ok}
    assert failed <= set(range(len(bad)))


def test_the_option_says_whether_it_imports_tensorflow(
    task: TaskOption, pictures: Sequence[Image], request: pytest.FixtureRequest
) -> None:
    try:
        answer = in_fresh_process(built_and_run, task, pictures)
    except TensorflowImported:
        assert task.uses_tensorflow
    else:
        assert not task.uses_tensorflow
        assert answer == request.getfixturevalue("expected")
