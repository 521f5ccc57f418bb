"""Where things are written: everything under ``outputs/`` of the folder in which the program was started."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path

from runner.disk import write_bytes_atomically
from runner.errors import ConfigurationError
from runner.secrets import MASK, masked

# What a socket's path may have (103 bytes on macOS, 107 on Linux; see unix(7)), without what multiprocessing adds to the folder's.
_LONGEST_TEMPORARY = 103 - len("/pymp-12345678/listener-12345678")

# A mask that is the whole of a value in YAML, where an asterisk means something else.
_BARE = re.compile(rf"(?m)([:-] +){re.escape(MASK)}$")

# Below outputs/: where MLflow keeps its copies of what the runs' own folders hold.
ARTIFACTS = "mlartifacts"


def outputs() -> Path:
    """The absolute path of ``outputs/``; it may not exist yet."""
    return Path("outputs").absolute()


def check_folder(key: str, folder: Path) -> None:
    """A folder that is to be made and written to, or the nearest one around it that is there, is one, and this user may write to it.

    Raises:
        ConfigurationError: it could not be written to.
    """
    there = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    if not there.exists():
        reason = f"{there} is a link to nowhere"
    elif not there.is_dir():
        reason = f"{there} is no folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = f"{there} cannot be written to by this user"
    else:
        return
    raise ConfigurationError(key, folder, reason, "a folder that this user may write to, or that can be made")


def check_temporary_folder() -> None:
    """The processes of a trial talk through sockets in the system's folder for temporary files, for which its path must be short.

    Raises:
        ConfigurationError: it is too long.
    """
    folder = tempfile.gettempdir()
    if hasattr(socket, "AF_UNIX") and len(os.fsencode(folder)) > _LONGEST_TEMPORARY:
        raise ConfigurationError(
            "TMPDIR", folder, "is too long for the path of a socket in it", f"a path of at most {_LONGEST_TEMPORARY} bytes"
        )


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


def mask_file(path: Path) -> None:
    """Mask a text file in its place; one that has no secret, or is not there, is left alone."""
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return
    if (safe := masked(text)) != text:
        if path.suffix == ".yaml":
            safe = _BARE.sub(rf"\1'{MASK}'", safe)
        content = safe.encode(errors="surrogateescape")
        write_bytes_atomically(path, lambda file: file.writelines([content]))


def mask_hydra_files(folder: Path) -> None:
    """Mask what Hydra wrote of a run's configuration into the run's folder."""
    for path in sorted((folder / ".hydra").glob("*.yaml")):
        mask_file(path)
