"""Commits of the repository around a folder, each checked out beside it while its code is measured."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigurationError, TrialFailed
from runner.host.git import answer_of

KEY = "code"

_ACCEPTED = "a branch, a tag or a commit of the git repository around the current folder"


@dataclass(frozen=True)
class Commit:
    """A commit.

    Attributes:
        hash: all of it.
        repository: the folder of the work tree that it was asked for in.
        below: the current folder, relative to that.
    """

    hash: str
    repository: Path
    below: str


# The folder that each is checked out in, and the process that has done so: one that is forked from it is to leave it alone.
_checkouts: dict[Commit, Path] = {}
_owner: list[int] = []


def commit_of(revision: str, folder: Path) -> Commit:
    """The commit that ``revision`` means in the repository around ``folder``.

    Raises:
        ConfigurationError: there is none.
    """
    top = answer_of(["rev-parse", "--show-toplevel"], folder)
    below = answer_of(["rev-parse", "--show-prefix"], folder)
    if top is None or below is None or not top.strip():
        raise ConfigurationError(KEY, revision, f"needs a git repository, and {folder} is in none that git can read", _ACCEPTED)
    found = answer_of(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"], folder)
    if found is None:
        raise ConfigurationError(KEY, revision, f"is no commit of the repository {top.strip()}", _ACCEPTED)
    return Commit(found.strip(), Path(top.strip()), below.strip())


def checkout(commit: Commit) -> Path:
    """The folder with the files of a commit; made by the first call, and removed when the program ends at the latest.

    Raises:
        TrialFailed: it cannot be made.
    """
    if commit in _checkouts and _owner == [os.getpid()]:
        return _checkouts[commit]
    if _owner != [os.getpid()]:
        _checkouts.clear()
        _owner[:] = [os.getpid()]
        atexit.register(remove_checkouts)
    folder = Path(tempfile.mkdtemp(prefix="runner-code-")).resolve() / commit.hash[:12]
    _checkouts[commit] = folder
    words = ["worktree", "add", "--quiet", "--detach", str(folder), commit.hash]
    if answer_of(words, commit.repository, limit_s=300) is None:
        _remove(commit, _checkouts.pop(commit))
        raise TrialFailed(f"code={commit.hash}: git could not check it out to {folder}", kind="NotCheckedOut")
    return folder


def remove_checkouts() -> None:
    """Remove the folders of all commits."""
    if _owner != [os.getpid()]:
        return
    while _checkouts:
        _remove(*_checkouts.popitem())


def _remove(commit: Commit, folder: Path) -> None:
    answer_of(["worktree", "remove", "--force", "--force", str(folder)], commit.repository)
    shutil.rmtree(folder.parent, ignore_errors=True)
    answer_of(["worktree", "prune"], commit.repository)
