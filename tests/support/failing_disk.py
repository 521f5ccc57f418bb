"""A disk that fails, or a program that dies, at the n-th change of a file. As a program: ``main`` runs the program with such a disk."""

from __future__ import annotations

import errno
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner import disk

Deed = Literal["fail", "die", "count"]


@dataclass
class FailingDisk:
    """A hook for ``runner.disk``.

    Attributes:
        deed: ``fail`` as a full disk does, from the n-th step on; ``die`` at the n-th step, as by SIGKILL; ``count`` only.
        number: which step, from 1.
        steps: those that there were, in this process.
    """

    deed: Deed
    number: int = 0
    steps: int = 0

    def __call__(self, step: str, path: Path) -> None:
        self.steps += 1
        if sys.platform != "win32" and self.deed == "die" and self.steps == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.deed == "fail" and self.steps >= self.number and step != "remove":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def main() -> None:
    """Run the program: its words come after the deed and the number. With ``count``, the number of steps is the last line that it prints."""
    deed, number, *words = sys.argv[1:]
    hook = FailingDisk(deed, int(number))  # type: ignore[arg-type]
    disk.set_hook(hook)
    sys.argv[1:] = words
    from runner.commands.dispatch import main as run

    try:
        run()
    finally:
        sys.stdout.flush()
        print(f"steps: {hook.steps}")  # noqa: T201
