"""Control groups: real ones, where this system lets a test make them, and trees of files that look like them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


def tree(root: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    """The folder of a tree of control groups with these files, and the file that says which groups a process belongs to."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "membership").write_text(membership)
    return root, root / "membership"


@contextmanager
def limited(controller: str, limit: int) -> Iterator[str]:
    """A real control group with a limit; yields the words for a shell by which it enters the group. Skips the test where none can be made."""
    v1 = (_ROOT / controller).is_dir()
    name = {"memory": "memory.limit_in_bytes" if v1 else "memory.max", "pids": "pids.max"}[controller]
    group = (_ROOT / controller if v1 else _ROOT) / f"runner-test-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        try:
            (group / name).write_text(str(limit))
        except OSError as error:
            pytest.skip(f"no limit can be set here: {error.strerror}")
        yield f"echo $$ > {group}/cgroup.procs"
    finally:
        for _ in range(1000):  # until the kernel has removed the last process
            try:
                os.rmdir(group)  # noqa: PTH106  (its files go with it)
                break
            except OSError:
                time.sleep(0.01)
