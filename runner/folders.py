"""Where things are written: everything under ``outputs/`` of the folder in which the program was started."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

# Below outputs/: where MLflow keeps its copies of what the runs' own folders hold.
ARTIFACTS = "mlartifacts"


def outputs() -> Path:
    """The absolute path of ``outputs/``; it may not exist yet."""
    return Path("outputs").absolute()


def write_atomically(path: Path, write: Callable[[IO[str]], None]) -> None:
    """Call ``write`` with a text file and put what it wrote at ``path`` in one step: readers see all of it or nothing."""
    handle, half_written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; results are as readable as anything else the user writes.
        mask = os.umask(0)
        os.umask(mask)
        Path(half_written).chmod(0o666 & ~mask)
        Path(half_written).replace(path)
    except BaseException:
        Path(half_written).unlink(missing_ok=True)
        raise


def forget_sweep(folder: Path) -> None:
    """Remove what Hydra wrote for a sweep that never began; a folder with anything of ours in it is left alone."""
    if not folder.is_dir() or [path.name for path in folder.iterdir()] not in ([], ["multirun.yaml"]):
        return
    (folder / "multirun.yaml").unlink(missing_ok=True)
    for empty in (folder, *list(folder.parents)[:3]):  # up to outputs/, as far as there is nothing else in it
        try:
            empty.rmdir()
        except OSError:
            return
