"""What the record says of the stages of mode=tf_data: what TensorFlow chose for each, and which was the slowest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.numbered_task import Numbered
from support.photos import photo
from support.trials import Trials

from runner.config.options import ImageFormat, Parallelism, Synthetic, Tensorflow, TfData, TfDataBatch, TfDataDefault
from runner.config.options import TfDataCache as Kept
from runner.pipeline.sources import Image, images_of
from runner.pipeline.sources.image import inspect

APART = TfDataDefault(cache=Kept.none)


def stages(backend: Any) -> dict[str, Any]:
    return {stage["stage"]: stage for stage in backend["stages"]}


@pytest.mark.parametrize(
    "mode",
    [APART, TfData(autotune=True, batch=TfDataBatch.after), replace(APART, interleave=0)],
    ids=["interleaved", "one map", "in the map"],
)
def test_a_slow_source_is_the_slowest_stage(trials: Trials, tmp_path: Path, mode: TfData) -> None:
    images = [inspect(photo(tmp_path / f"{number}.jpg")) for number in range(4)]
    words: dict[str, Any] = {"items": 40, "images": images, "task": Tensorflow(size=32)}
    backend = trials.report(mode, source_module="support.slow_source", source=str(tmp_path / "note"), **words).backend
    assert backend["slowest_stage"] == "read"
    assert stages(backend)["read"]["ms_per_image"] > 40


@pytest.mark.parametrize("mode", [APART, TfData(autotune=True, batch=TfDataBatch.after)], ids=["interleaved", "one map"])
def test_a_slow_map_is_the_slowest_stage(trials: Trials, mode: TfData) -> None:
    images = images_of(Synthetic(count=2, width=1500, height=1500), 2)
    backend = trials.report(mode, items=12, images=images).backend
    assert backend["slowest_stage"] == "task"
    assert stages(backend)["task"]["ms_per_image"] > stages(backend)["read"]["ms_per_image"]


def test_a_slow_batch_is_the_slowest_stage(trials: Trials) -> None:
    """Pictures of 12 MB each, which are kept in a cache: all that is left to do is to put them together."""
    images = images_of(Synthetic(count=2, width=2000, height=2000, format=ImageFormat.jpeg), 2)
    mode = replace(APART, cache=Kept.decoded, batch_size=4)
    backend = trials.report(mode, items=16, epochs=2, images=images, task=Tensorflow(steps=["decode"])).backend
    assert backend["slowest_stage"] == "batch"
    assert "task" not in stages(backend)


def test_each_stage_has_what_was_chosen_for_it_in_the_order_of_the_dataset(trials: Trials, tmp_path: Path) -> None:
    images = [inspect(photo(tmp_path / f"{number}.jpg")) for number in range(4)]
    words: dict[str, Any] = {"workers": 3, "items": 200, "images": images, "task": Tensorflow(size=32)}
    backend = trials.report(TfDataDefault(shuffle=5, batch_size=8), **words).backend
    found = stages(backend)
    assert list(found) == ["read", "cache", "shuffle", "task", "batch", "prefetch"]
    assert 1 <= found["read"]["parallel_calls"] <= 3
    assert backend["num_parallel_calls"] == found["task"]["parallel_calls"]
    assert 1 <= found["task"]["parallel_calls"] <= 3
    assert found["prefetch"]["buffer"] == backend["prefetch"] >= 1
    assert all(stage["ms_per_image"] >= 0 and stage["busy_pct"] >= 0 for stage in found.values())
    before = trials.report(TfData(autotune=True, batch=TfDataBatch.before, batch_size=8), **words).backend
    assert list(stages(before)) == ["read", "decode", "batch", "task"]
    assert stages(before)["task"]["parallel_calls"] == 3


def test_a_task_that_is_not_tensorflows_has_its_stages_too(trials: Trials) -> None:
    images = [Image(f"{number}", "jpeg", 1, 1, "") for number in range(20)]
    task = Numbered(slow=tuple(range(20)), slow_s=0.01)
    words: dict[str, Any] = {
        "images": images,
        "items": 20,
        "source_module": "support.nothing_source",
        "source": "",
        "task_module": "support.numbered_task",
    }
    backend = trials.report(TfData(parallelism=Parallelism.autotune), task=task, **words).backend
    assert backend["slowest_stage"] == "task"
    assert stages(backend)["task"]["ms_per_image"] >= 10
