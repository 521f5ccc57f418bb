from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from runner.config.options import NoSink, Sample, Tensorflow
from runner.config.registry import module_of
from runner.modes import ModePlan
from runner.modes.workers.runtime import ThreadLimits
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources import Image, images_of
from runner.trial.messages import Report, TrialPlan
from runner.trial.supervisor import Event, Outcome, Supervisor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def supervisor() -> Supervisor:
    """One for all tests: its fork server imports TensorFlow once."""
    supervisor = Supervisor()
    supervisor.warm()
    return supervisor


@pytest.fixture(scope="session")
def sample() -> Sequence[Image]:
    return images_of(Sample(), 15)


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """Every image's row in a point's folder, as any reader of Parquet sees them."""
    import pandas as pd

    rows: list[dict[str, Any]] = pd.read_parquet(folder / "images").to_dict("records")
    return rows


def ignore(_: Event) -> None:
    """Hear of an event and do nothing."""


class Trials:
    """Executes trials by the arguments that a test cares about."""

    def __init__(self, supervisor: Supervisor, images: Sequence[Image], log: Path) -> None:
        self._supervisor = supervisor
        self._images = images
        self.log = log

    def plan(
        self,
        mode: Any,
        *,
        workers: int = 2,
        items: int = 6,
        epochs: int = 1,
        warmup_epochs: int = 0,
        limits: tuple[int, int] = (1, 1),
        task: Any = None,
        task_module: str | None = None,
        images: Sequence[Image] | None = None,
        gil_probe: bool = False,
        source_module: str | None = None,
        source: Any = None,
        spool: str | None = None,
    ) -> TrialPlan:
        task = task or Tensorflow()
        pipeline = PipelinePlan(
            images=self._images if images is None else images,
            source_module=source_module or module_of("source", "sample"),
            source=source or Sample(),
            task_module=task_module or module_of("task", "tensorflow"),
            task=task,
            sink_module=module_of("sink", "none"),
            sink=NoSink(),
        )
        mode_plan = ModePlan(mode, workers, ThreadLimits(*limits), pipeline, spool)
        module, log = module_of("mode", mode.name), str(self.log)
        return TrialPlan(module, mode_plan, items, epochs, warmup_epochs, log, gil_probe=gil_probe)

    def outcome(
        self,
        mode: Any,
        *,
        timeout_s: float = 240,
        on_event: Callable[[Event], None] = ignore,
        supervisor: Supervisor | None = None,
        **arguments: Any,
    ) -> Outcome:
        return (supervisor or self._supervisor).execute(self.plan(mode, **arguments), timeout_s, on_event)

    def report(self, mode: Any, **arguments: Any) -> Report:
        outcome = self.outcome(mode, **arguments)
        assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
        assert outcome.report is not None
        return outcome.report


@pytest.fixture
def trials(supervisor: Supervisor, sample: Sequence[Image], tmp_path: Path) -> Trials:
    return Trials(supervisor, sample, tmp_path / "runner.log")


class Program:
    """The program as a user has it: ``python -m runner`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "runner", *words]

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.module("runner", *words, **environment)

    def started(self, marker: str, *words: str) -> subprocess.Popen[bytes]:
        """The program, running unheard; ``marker`` is in the environment of all its processes."""
        env, unheard = os.environ | {"TEST_MARKER": marker}, subprocess.DEVNULL
        return subprocess.Popen(self.command(*words), cwd=self.folder, env=env, stdout=unheard, stderr=unheard)

    def module(self, module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "200"} | environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def can_be_apart(*namespaces: str) -> bool:
    """Whether a test may run a program in namespaces of its own, such as ``mount``: on Linux, and with the rights for it."""
    words = ["unshare", *[f"--{name}" for name in namespaces], "true"]
    return sys.platform == "linux" and shutil.which("unshare") is not None and not subprocess.run(words, check=False).returncode


def compiled(source: str, target: Path) -> Path:
    """The shared library made of a C file of ``tests/native``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("takes Linux and a C compiler")
    path = Path(__file__).parent / "native" / source
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(target), str(path), "-ldl"], check=True)
    return target


def shared_memory() -> set[str]:
    """The names of shared memory of all processes of this machine, but for those of joblib, which is no part of what is looked at."""
    folder = Path("/dev/shm")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return {name for name in names if not name.startswith(("sem.loky-", "joblib_"))}


def left_in_shared_memory(before: set[str]) -> set[str]:
    """What is there that was not ``before`` and that no living process has: other programs come and go meanwhile."""
    if sys.platform != "linux":
        return set()
    left = shared_memory() - before
    for process in psutil.process_iter() if left else ():
        try:
            left -= {Path(mapped.path.removesuffix(" (deleted)")).name for mapped in process.memory_maps(grouped=True)}
        except psutil.Error:
            continue
    return left & shared_memory()


def processes_of(marker: str) -> list[psutil.Process]:
    """Living processes that have ``marker`` in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TEST_MARKER") == marker:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[str]:
    """A word that marks the processes of this test; whatever is left of them is ended."""
    word = f"test-{os.getpid()}-{tmp_path.name}"
    yield word
    for process in processes_of(word):
        process.kill()
