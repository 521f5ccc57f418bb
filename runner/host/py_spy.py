"""Records the stacks of another process and of all that it starts, with the program py-spy, which looks at them from outside."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from runner.errors import ConfigurationError, RunnerError

# Samples a second. Each stops the process for some milliseconds where native frames are read, so more would mostly measure py-spy.
RATE = 100

# How long it may take until the first sample: it reads the symbols of all libraries, and TensorFlow's are many.
ATTACH_S = 300.0
_WRITE_S = 60.0

# By which it ends and writes what it has; the first is Windows'.
_INTERRUPT: int = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)

_SAMPLING = "Sampling process"
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")

# By what py-spy or the system says: the reason, and what would help.
_REFUSALS = (
    (
        ("ptrace_scope",),
        "the system lets a process be looked at by those only that have started it (kernel.yama.ptrace_scope)",
        "sudo sysctl kernel.yama.ptrace_scope=0 until the next start of the system, or this command as root",
    ),
    (
        ("requires root", "root on OSX", "root on macOS"),
        "this system lets only root look at other processes",
        "this command with sudo",
    ),
    (
        ("Permission Denied", "Permission denied", "Operation not permitted", "EPERM", "Access is denied"),
        "the system does not let py-spy look at other processes",
        "in a container docker run --cap-add SYS_PTRACE, in Kubernetes securityContext.capabilities.add: [SYS_PTRACE]; elsewhere this command as root",
    ),
)
_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


def py_spy() -> Path:
    """The program: on the path, or beside this Python.

    Raises:
        ConfigurationError: it is not installed.
    """
    beside = os.pathsep.join([sysconfig.get_path("scripts"), str(Path(sys.executable).parent)])
    found = shutil.which("py-spy") or shutil.which("py-spy", path=beside)
    if found is None:
        accepted = "an environment with the extra profile: pip install 'image-pipeline-runner[profile]'"
        raise ConfigurationError("profile", None, "py-spy is not installed, which looks into the processes", accepted)
    return Path(found)


def reads_native(program: Path) -> bool:
    """Whether this build of py-spy can read the frames of C and C++."""
    done = subprocess.run([program, "record", "--help"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    return "--native" in done.stdout


class Recording:
    """What a process and its children do from now on, until ``stop``; a context ends py-spy whatever happens.

    Attributes:
        native: whether the frames of C and C++ are among the stacks.
        samples: how often it has looked; known after ``stop``.
        errors: how often it could not.

    Args:
        program: py-spy.
        pid: of the process.

    Raises:
        RunnerError: the system does not let it, or it cannot read the process.
    """

    def __init__(self, program: Path, pid: int) -> None:
        self.native = reads_native(program)
        self.samples = self.errors = 0
        self._folder = tempfile.TemporaryDirectory(prefix="runner-profile-")
        self._stacks, self._said = (Path(self._folder.name, name) for name in ("stacks", "said"))
        words: list[str | Path] = [
            program,
            "record",
            "--pid",
            str(pid),
            "--format",
            "raw",
            "--output",
            self._stacks,
            "--rate",
            str(RATE),
        ]
        words += ["--threads", "--subprocesses", "--idle", "--function", *(["--native"] if self.native else [])]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(  # noqa: S603
                words,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for this program, which ends py-spy itself.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        try:
            self._await_first_sample()
        except BaseException:
            self._end()
            raise

    def _await_first_sample(self) -> None:
        until = monotonic() + ATTACH_S
        while _SAMPLING not in self._words():
            if self._process.poll() is not None:
                raise refusal(self._words())
            if monotonic() > until:
                raise RunnerError(f"py-spy has taken no sample within {ATTACH_S:g} s: {_last_line(self._words())}")
            sleep(0.05)

    def stop(self) -> str:
        """End it; returns the stacks, a line each: its frames from the outermost to the innermost, and how often it was seen.

        Raises:
            RunnerError: it has written nothing.
        """
        with contextlib.suppress(OSError):  # it has ended by itself, with the process
            self._process.send_signal(_INTERRUPT)
        try:
            self._process.wait(_WRITE_S)
        except subprocess.TimeoutExpired:
            raise RunnerError(f"py-spy did not end within {_WRITE_S:g} s") from None
        words = self._words()
        if not self._stacks.is_file():
            raise refusal(words)
        if (counts := _COUNTS.search(words)) is not None:
            self.samples, self.errors = int(counts[1]), int(counts[2])
        return self._stacks.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _words(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")


def refusal(said: str) -> RunnerError:
    """The error for what py-spy says when it cannot record."""
    if "Permission" in said and _scope() not in {None, "0"}:
        said = f"ptrace_scope {said}"
    for signs, reason, accepted in _REFUSALS:
        if any(sign in said for sign in signs):
            return ConfigurationError("profile", None, reason, accepted)
    return RunnerError(f"py-spy could not look into the process: {_last_line(said)}")


def _scope() -> str | None:
    try:
        return _SCOPE.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1].strip()[:300]
