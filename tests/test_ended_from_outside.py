"""Ended from outside, a program closes what it can, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.points import Silent, point
from support.program import Program, processes_of
from support.protocol import SMALL, started, trials_on_disk, wait_for
from support.stores import sweep_in
from support.troublesome_server import free_port

from runner.config.options import Loky, Pillow, Protocol
from runner.sweeps.session import Session
from runner.trial.fork_server import fork_server
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

if sys.platform == "win32":
    pytest.skip("signals and limits of POSIX", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="signals, /dev/shm and /proc")]


def eventually(condition: Callable[[], object], what: str) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def test_a_program_whose_terminal_is_closed_closes_its_sweep_which_can_be_resumed(program: Program, marker: str) -> None:
    """SIGHUP, and every line that it would print after that is an error."""
    import pty

    master, slave = pty.openpty()
    words = ["setsid", "--ctty", *program.command(*SMALL, "protocol.rounds=30", "protocol.self_check=false", "tracking=none")]
    process = subprocess.Popen(
        words, cwd=program.folder, env=os.environ | {"TEST_MARKER": marker}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    while not trials_on_disk(program.folder):
        assert process.poll() is None
        os.read(master, 65536)
    os.close(master)
    assert process.wait(120) == 130
    assert processes_of(marker) == []
    folder = sweep_in(program.folder)
    assert {one["status"] for one in json.loads((folder / "sweep.json").read_text())["points"]} <= {"ok", "killed"}
    assert (folder / "manifest.json").exists()


def test_nohup_keeps_a_program_going_when_its_terminal_is_closed(program: Program, marker: str) -> None:
    words = ["nohup", *program.command(*SMALL, "protocol.rounds=2", "protocol.self_check=false", "tracking=none")]
    process = subprocess.Popen(
        words, cwd=program.folder, env=os.environ | {"TEST_MARKER": marker}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for("a trial", lambda: trials_on_disk(program.folder), process)
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr


class Killer(Silent):
    """Kills the fork server of the trial in its first epoch."""

    def event(self, event: object) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            os.kill(fork_server(tensorflow=False)._server._forkserver_pid, signal.SIGKILL)


def test_a_fork_server_that_is_killed_in_a_trial_is_said_to_be_and_the_next_session_has_another(tmp_path: Path) -> None:
    subject = point(tmp_path / "point", task=Pillow(), protocol=Protocol(rounds=1, epochs=50))
    Session([subject], 0, Killer(), Supervisor()).run()
    assert subject.status == "killed"
    assert subject.error is not None
    assert subject.error["type"] == "ForkServerEnded"
    assert subject.error["message"] == "the fork server was ended, and the trial with it"
    again = point(tmp_path / "again", task=Pillow())
    Session([again], 0, Silent(), Supervisor()).run()
    assert again.status == "ok"


def semaphores_of(processes: set[int]) -> list[str]:
    """The named semaphores of Loky that these processes have made: each carries the number of its own."""
    names = [path.name for path in Path("/dev/shm").glob("sem.*")]
    return [name for name in names if (match := re.match(r"sem\.loky-(\d+)-", name)) and int(match[1]) in processes]


@pytest.mark.parametrize("mode", ["thread", "loky", "process"])
def test_a_killed_program_leaves_no_socket_no_semaphore_and_no_spool(program: Program, marker: str, mode: str) -> None:
    words = [
        f"mode={mode}",
        "workers=2",
        "task=pillow",
        "task.size=8",
        "protocol=once",
        "images=1000000",
        "tracking=none",
        "hydra.run.dir=here",
    ]
    process = started(program, marker, *words)
    spool = program.folder / "here" / ".records"
    wait_for("a trial", lambda: len(processes_of(marker)) > 3 and (program.folder / "here" / "runner.log").exists(), process)
    spool.touch()  # as if there had been more records than fit into memory
    mine = {int(name) for one in processes_of(marker) for name in [one.pid]}
    process.kill()
    process.communicate()
    eventually(lambda: not processes_of(marker), "processes are left")
    eventually(lambda: not spool.exists(), "the spool is left")
    assert semaphores_of(mine) == []


def test_the_folder_of_a_fork_servers_socket_goes_with_a_killed_program(
    program: Program, marker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = started(program, marker, "task=pillow", "mode=thread", "protocol=once", "images=1000000", "tracking=none")
    wait_for("its socket", lambda: list(temporary.glob("pymp-*")) and list(program.folder.rglob("runner.log")), process)
    process.kill()
    process.communicate()
    eventually(lambda: not list(temporary.iterdir()), f"left: {list(temporary.iterdir())}")
    temporary.rmdir()


def test_a_loky_trial_that_is_killed_leaves_no_semaphore(tmp_path: Path) -> None:
    processes: set[int] = set()

    class Ender(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                processes.update(event.pids)
                assert semaphores_of(processes)
                os.kill(event.pids[0], signal.SIGKILL)

    subject = point(tmp_path / "point", task=Pillow(), mode=Loky(), protocol=Protocol(rounds=1, epochs=50))
    Session([subject], 0, Ender(), Supervisor()).run()
    assert subject.status == "killed"
    assert semaphores_of(processes) == []


def test_the_jobs_of_joblib_end_with_the_program_that_is_killed(program: Program, marker: str) -> None:
    words = [
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "task=pillow",
        "mode=thread",
        "workers=1,2",
        "images=1000000",
        "tracking=none",
    ]
    process = started(program, marker, *words, "protocol=once", "hydra.sweep.dir=here", "-m")
    wait_for("a trial", lambda: list((program.folder / "here").glob("*/runner.log")), process)
    process.kill()
    process.communicate()
    eventually(lambda: not processes_of(marker), "jobs measure on")


def test_sigterm_to_ui_ends_mlflows_server_and_frees_its_port(program: Program, marker: str) -> None:
    answer = program("task=pillow", "mode=thread", "images=2", "protocol=once")
    assert answer.returncode == 0, answer.stderr
    port = free_port()
    process = started(program, marker, "ui", "--port", str(port))

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for("MLflow's server", answers, process)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert not [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not answers()
