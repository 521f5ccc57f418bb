"""The program as a user has it, and what a test needs around it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support.paths import ROOT
from support.warm_program import warm


class Program:
    """The program as a user has it: ``python -m runner`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "runner", *words]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it, imported already, where that makes no difference to what is tested."""
        return warm().run(self.folder, "runner.commands.dispatch", *words)

    def cold(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it in a process, and with fork servers, of its own; with these variables besides the test's own."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, env=os.environ | {"COLUMNS": "200"} | environment, capture_output=True, text=True,
            timeout=280, check=False,
        )  # fmt: skip

    def slow_words(self) -> list[str]:
        """Words of a task that takes 50 ms of sleep an image, for a run that is to be ended before it has ended; it costs no CPU."""
        (self.folder / "slow.py").write_text("import time\ndef go(data):\n    time.sleep(0.05)\n    return data\n")
        return ["task=function", "task.function=slow:go"]

    def started(self, marker: str, *words: str) -> subprocess.Popen[bytes]:
        """The program, running unheard; ``marker`` is in the environment of all its processes."""
        env, unheard = os.environ | {"TEST_MARKER": marker}, subprocess.DEVNULL
        return subprocess.Popen(self.command(*words), cwd=self.folder, env=env, stdout=unheard, stderr=unheard)


def can_be_apart(*namespaces: str) -> bool:
    """Whether a test may run a program in namespaces of its own, such as ``mount``: on Linux, and with the rights for it."""
    words = ["unshare", *[f"--{name}" for name in namespaces], "true"]
    return sys.platform == "linux" and shutil.which("unshare") is not None and not subprocess.run(words, check=False).returncode


def compiled(source: str, target: Path) -> Path:
    """The shared library made of a C file of ``tests/native``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("takes Linux and a C compiler")
    path = ROOT / "tests" / "native" / source
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(target), str(path), "-ldl"], check=True)
    return target


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
