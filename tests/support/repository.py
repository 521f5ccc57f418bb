"""A git repository of the user's, with functions of the user's own in its commits."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# Neither the tester's own settings nor a repository around the tests has a say.
_WITHOUT_SETTINGS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_GIT = shutil.which("git") or "git"
_WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


class Repository:
    """In a folder, where it is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        """What git says."""
        return subprocess.run(
            [_GIT, *_WHO, *words],
            cwd=self.folder,
            env=os.environ | _WITHOUT_SETTINGS,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def commit(self, tag: str, **modules: str) -> str:
        """Commit modules by their text, with a tag; returns the commit's hash."""
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text)
            self.git("add", f"{name}.py")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def work_trees(self) -> list[str]:
        """The folders in which commits of it are checked out, its own first."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")]
