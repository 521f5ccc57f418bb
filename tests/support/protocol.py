"""Sweeps that are started and ended by a test."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from support.program import Program

# Two points that cost little, so that a test can have many rounds.
SMALL = ["mode=sequential", "workers=1", "images=2", "task=pillow", "task.size=8,9", "protocol.epochs=2", "monitor=off", "-m"]


def wait_for(what: str, condition: Any, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit, f"{what} did not come"
        assert process.poll() is None, f"the program ended before {what}"
        time.sleep(0.02)


def trials_on_disk(folder: Path) -> dict[str, list[Any]]:
    found = {}
    for path in folder.glob("outputs/sweeps/*/*/*/result.json"):
        found[path.parent.name] = json.loads(path.read_text())["trials"]
    return found


def started(program: Program, marker: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program.command(*words), cwd=program.folder, env=os.environ | {"TEST_MARKER": marker},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
