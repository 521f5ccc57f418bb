"""Trials on a cluster of Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from runner.config.options import Ray
from runner.pipeline.sources.image import Image, inspect
from runner.trial.messages import Report
from runner.trial.supervisor import Outcome
from support.faulty_task import Fault
from support.photos import photo
from support.ray_cluster import Cluster, running
from support.trials import Trials


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("hidden")
    with running(folder) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def three_images(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Image]:
    folder = tmp_path_factory.mktemp("seen")
    return [inspect(photo(folder / name)) for name in ("a.jpg", "flower.png", "c.jpg")]


def joined(cluster: Cluster, trials: Trials, three_images: Sequence[Image], *, task: Any = None, **words: Any) -> Outcome:
    fields = {key: words.pop(key) for key in list(words) if key in Ray.__dataclass_fields__}
    mode = Ray(**{"address": cluster.address, **fields})
    return trials.outcome(mode, images=three_images, task=task or Fault(), task_module="support.faulty_task", **words)


def reported(outcome: Outcome) -> Report:
    assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
    assert outcome.report is not None
    return outcome.report
