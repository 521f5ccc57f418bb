"""A photograph that is replaced after it was inspected fails its trial: the record would say that another was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.photos import photo
from support.points import Silent, point

from runner.config.options import File, ModeOption, Pillow, Process, TaskOption, Tensorflow, TfData, Thread
from runner.pipeline.sources.image import inspect
from runner.sweeps.resuming import resume
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


@pytest.mark.parametrize(
    ("mode", "task"),
    [(Thread(), Pillow()), (Process(), Pillow()), (TfData(), Tensorflow())],
    ids=["thread", "process", "graph"],
)
def test_a_photograph_that_is_replaced_before_the_trial_fails_it_and_is_measured_by_a_resume(
    tmp_path: Path, supervisor: Supervisor, mode: ModeOption, task: TaskOption
) -> None:
    path = photo(tmp_path / "a.jpg")
    changes = {"source": File(path=str(path)), "mode": mode, "task": task}
    subject = point(tmp_path / "point", **changes)
    photo(path, (44, 33))
    Session([subject], 0, Silent(), supervisor).run()
    assert subject.status == "failed"
    assert subject.error is not None
    assert subject.error["type"] == "ImagesReplaced"
    assert subject.error["message"] == f"images were replaced while it was measured: {path}"

    again = point(tmp_path / "point", **changes)
    again.images = [inspect(path)]
    resume([again], lambda _: None)
    Session([again], 0, Silent(), supervisor).run()
    assert again.status == "ok"


def test_a_photograph_that_stays_as_it_is_fails_nothing(tmp_path: Path, supervisor: Supervisor) -> None:
    path = photo(tmp_path / "a.jpg")
    subject = point(tmp_path / "point", source=File(path=str(path)), task=Pillow())
    Session([subject], 0, Silent(), supervisor).run()
    assert subject.status == "ok"
