"""Points that a test measures in its own process, without Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.config.options import Config, Monitor, NoConsumer, NoSink, NoTracking, Protocol, Sample, Tensorflow, Tf, Thread
from runner.pipeline.sources import images_of
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


class Prepared(Supervisor):
    def warm(self, *, tensorflow: bool = True, python: str | None = None) -> None:
        """Have nothing imported."""


class Silent:
    def tell(self, message: str) -> None:
        pass

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        pass

    def event(self, event: object) -> None:
        pass

    def trial_ends(self, trial: object) -> None:
        pass


def point(folder: Path, **changes: object) -> Point:
    config = Config(
        mode=Thread(), workers=2, tf=Tf(1, 1), source=Sample(), images=6, task=Tensorflow(), sink=NoSink(), consumer=NoConsumer(),
        protocol=Protocol(rounds=1, epochs=2, warmup_epochs=1, timeout_s=240), monitor=Monitor(), tracking=NoTracking(),
    )  # fmt: skip
    for key, value in changes.items():
        setattr(config, key, value)
    folder.mkdir(parents=True, exist_ok=True)
    return Point(config=config, images=images_of(config.source, config.epoch_images), overrides=["workers=2"], folder=folder)


def measured(tmp_path: Path, supervisor: Supervisor, **changes: Any) -> Point:
    subject = point(tmp_path / "point", **changes)
    Session([subject], 0, Silent(), supervisor).run()
    return subject
