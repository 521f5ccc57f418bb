"""Where a trial's process comes from: nothing is loaded that its point does not need, and a server that fails is said to have failed."""

from __future__ import annotations

import json
import os
import signal
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest
from support.made_records import killed, timed_trial
from support.paths import ROOT
from support.points import Silent, point
from support.program import Program
from support.trials import Trials

from runner.config.options import FileFormat, ModeOption, Pillow, Process, TaskOption, Tensorflow, TfData, Thread, ToFile
from runner.config.registry import module_of
from runner.errors import TrialFailed, TrialTimeout
from runner.sweeps.session import Session
from runner.trial.fork_server import ForkServer, fork_server
from runner.trial.start import ready
from runner.trial.supervisor import Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork servers are POSIX, and memory is read as Linux tells it")


@pytest.mark.parametrize(
    "words",
    [
        ["mode=sequential,thread,asyncio,process_pool,loky", "-m"],
        ["mode=process", "mode.start_method=spawn,forkserver", "-m"],
        ["mode=ray"],
    ],
)
def test_a_program_without_tensorflow_in_its_points_imports_it_in_no_process(
    program: Program, tmp_path: Path, words: list[str]
) -> None:
    witness = tmp_path / "instead" / "tensorflow" / "__init__.py"
    witness.parent.mkdir(parents=True)
    seen = tmp_path / "seen"
    witness.write_text(f"import pathlib, sys\npathlib.Path({str(seen)!r}).write_text(repr(sys.argv))\nraise ImportError\n")
    path = os.pathsep.join([str(tmp_path / "instead"), str(ROOT)])
    what = ["task=pillow", "workers=2", "images=4", "protocol=once", "tracking=none"]
    done = program.cold(*what, *words, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert not seen.exists()
    records = [json.loads(path.read_text()) for path in program.folder.glob("outputs/**/result.json")]
    assert records
    assert all(trial["preload_s"] for record in records for trial in record["trials"])  # the server imported all that it should


def test_the_memory_of_a_trial_without_tensorflow_does_not_contain_it_beside_one_that_does(trials: Trials) -> None:
    def memory_bytes(mode: ModeOption, task: TaskOption) -> int:
        report = trials.report(mode, task=task, task_module=module_of("task", task.name))
        return report.footprint.memory_bytes or 0

    for mode in (Thread(), Process()):
        heavy, light = memory_bytes(mode, Tensorflow()), memory_bytes(mode, Pillow())
        assert light < heavy / 3


def test_a_trial_with_tensorflow_finds_it_imported(trials: Trials) -> None:
    report = trials.report(Thread())
    assert report.preload_s is not None
    assert report.import_s < report.preload_s / 10


@pytest.mark.parametrize(
    ("changes", "uses"),
    [
        ({"task": Pillow()}, False),
        ({"task": Tensorflow()}, True),
        ({"task": Pillow(), "mode": TfData()}, True),
        ({"task": Pillow(), "sink": ToFile(format=FileFormat.tfrecord)}, True),
        ({"task": Pillow(), "sink": ToFile(format=FileFormat.npy)}, False),
    ],
)
def test_a_point_knows_whether_it_takes_tensorflow(tmp_path: Path, changes: dict[str, object], uses: bool) -> None:
    assert point(tmp_path, **changes).config.uses_tensorflow is uses


def test_a_fork_server_that_ends_before_it_starts_a_process_is_said_to_have_ended(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    (tmp_path / "ends_at_once.py").write_text("import os\nos._exit(3)\n")
    with pytest.raises(TrialFailed, match="the fork server ended before it started a process"):
        ForkServer("ends_at_once").start(get_context("forkserver").Process(target=ready), 60)


@pytest.fixture
def stopped() -> int:
    """The process of the fork server without TensorFlow, which goes on no more."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    Supervisor().warm(tensorflow=False)
    pid: int = fork_server(tensorflow=False)._server._forkserver_pid
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_a_stopped_fork_server_is_ended_at_the_limit_and_the_next_trial_has_a_new_one(trials: Trials, stopped: int) -> None:
    impatient = Supervisor(start_limit_s=0.5)
    with pytest.raises(TrialTimeout, match=r"the fork server started no process within 0\.5 s"):
        impatient.warm(tensorflow=False)
    trials.report(Thread(), task=Pillow(), task_module=module_of("task", "pillow"))
    assert fork_server(tensorflow=False)._server._forkserver_pid != stopped


def test_a_trial_whose_fork_server_stands_still_ends_as_a_timeout(trials: Trials, stopped: int) -> None:
    impatient = Supervisor(start_limit_s=0.5)
    outcome = trials.outcome(Thread(), task=Pillow(), task_module=module_of("task", "pillow"), supervisor=impatient)
    assert isinstance(outcome.error, TrialTimeout)
    assert outcome.report is None


class Noting(Silent):
    """Keeps what the user is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def tell(self, message: str) -> None:
        self.said.append(message)


def test_a_session_whose_fork_server_stood_still_says_so_and_goes_on(tmp_path: Path, stopped: int) -> None:
    display = Noting()
    subject = point(tmp_path / "point", task=Pillow())
    Session([subject], 0, display, Supervisor(start_limit_s=10.0)).run()
    assert ["was killed" in message for message in display.said] == [True]
    assert subject.status == "ok"


class Recording(Supervisor):
    """Keeps what it was asked to import, and imports nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.warmed: list[bool] = []

    def warm(self, *, tensorflow: bool = True, python: str | None = None) -> None:
        self.warmed.append(tensorflow)


def test_a_resumed_sweep_imports_nothing_for_a_point_that_is_complete(tmp_path: Path) -> None:
    done, due = point(tmp_path / "done", task=Tensorflow()), point(tmp_path / "due", task=Pillow())
    done.trials.append(timed_trial(0, 1.0))
    due.trials.append(killed(timed_trial(0, 1.0)))  # so it is not tried again
    supervisor = Recording()
    Session([done, due], 0, Silent(), supervisor).run()
    assert supervisor.warmed == []
    due.trials.clear()
    Session([done, due], 0, Silent(), supervisor)._warm()
    assert supervisor.warmed == [False]
