"""The state of the work tree around a folder, asked of git without running what the work tree's own settings name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

_LIMIT_S = 10

# Settings by which a repository has git run programs when its state is asked for; a copied folder has them as its maker left them.
_SAFE = (
    "core.fsmonitor=false", "core.untrackedCache=false", f"core.hooksPath={os.devnull}", f"core.attributesFile={os.devnull}",
    "core.pager=cat", "protocol.allow=never", "submodule.recurse=false", "status.submoduleSummary=false",
)  # fmt: skip
_FILTER = re.compile(r"filter\.(.+)\.(?:clean|smudge|process|required)", re.IGNORECASE | re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class GitState(TypedDict):
    """The commit, and whether files differ from it."""

    commit: str
    dirty: bool


def git_state(folder: Path) -> GitState | None:
    """The commit of the work tree around ``folder``, and whether files differ from it; None outside of a work tree."""
    if (git := _git(folder)) is None:
        return None
    commit = (_answer([git, "rev-parse", "HEAD"], folder) or "").strip()
    names = _answer([git, "config", "--null", "--name-only", "--list"], folder)
    if _COMMIT.fullmatch(commit) is None or names is None:
        return None
    filters = {match[1] for name in names.split("\0") if (match := _FILTER.fullmatch(name)) is not None}
    settings = [
        *_SAFE,
        *(f"filter.{name}.{what}" for name in sorted(filters) for what in ("clean=", "process=", "required=false")),
    ]
    words = [
        git,
        *(word for setting in settings for word in ("-c", setting)),
        "status",
        "--porcelain",
        "--ignore-submodules=all",
    ]
    status = _answer(words, folder)
    return None if status is None else {"commit": commit, "dirty": bool(status.strip())}


def answer_of(words: list[str], folder: Path, limit_s: float = _LIMIT_S) -> str | None:
    """What git says to these words, with no hook and no server asked; None where it fails, or there is no git."""
    git = _git(folder)
    return None if git is None else _answer([git, *(word for one in _SAFE for word in ("-c", one)), *words], folder, limit_s)


def _git(folder: Path) -> str | None:
    git = shutil.which("git")
    if git is None or Path(git).parent.resolve() == folder.resolve():  # Windows looks into the current folder first
        return None
    return git


def _answer(words: list[str], folder: Path, limit_s: float = _LIMIT_S) -> str | None:
    """What git says; None where it fails. No variable of git's own is passed on, and none of the user's secrets."""
    kept = {
        name: value
        for name in ("HOME", "PATH", "SYSTEMROOT", "TMPDIR", "XDG_CONFIG_HOME")
        if (value := os.environ.get(name)) is not None
    }
    environment = kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(  # noqa: S603
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return answer.stdout.decode("utf-8", errors="replace") if answer.returncode == 0 else None
