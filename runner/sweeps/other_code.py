"""The interpreter by which a point's trials run, and the commit that its functions come from, where they are not this program's."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.options import Config
from runner.config.restore import quoted
from runner.host.checkouts import Commit, checkout, commit_of
from runner.host.environment import Environment, environment
from runner.host.interpreters import KEY as PYTHON
from runner.host.interpreters import Interpreter, interpreter
from runner.pipeline.own_code import CodePlan

# What every trial imports; first what is not this program's, so that it is named where it is missing.
_EVERY = ("numpy", "psutil", "runner.trial.main")

# Tasks of this program that do nothing by BLAS, whose threads are limited by a package that the others need.
_WITHOUT_BLAS = ("tensorflow", "pillow", "opencv", "python", "inference")

# The packages that options import late, or with others: asked for by themselves, a message names all that are missing.
_PACKAGES = {"task=pillow": "PIL", "task=python": "PIL", "task=opencv": "cv2", "mode=loky": "joblib"}


@dataclass(frozen=True)
class Surroundings:
    """What a trial runs by and in; None is this program's own.

    Attributes:
        interpreter: that ``python`` names.
        commit: that ``code`` names.
        own_code: the folder in which functions of the user's are looked for; None where none is named.
    """

    interpreter: Interpreter | None = None
    commit: Commit | None = None
    own_code: str | None = None

    def python(self) -> str | None:
        """The executable of the trials' interpreter; None for this one."""
        return None if self.interpreter is None else self.interpreter.path

    def code(self) -> CodePlan | None:
        """Where a trial finds functions of the user's; the commit is checked out now, if it is not yet.

        Raises:
            TrialFailed: it cannot be checked out.
        """
        if self.commit is not None:
            folder = checkout(self.commit)
            return CodePlan(str(folder / self.commit.below), str(self.commit.repository), str(folder))
        return None if self.own_code is None or self.interpreter is None else CodePlan(self.own_code)

    def environment(self) -> Environment:
        """What the record says of the environment."""
        found = environment()
        if self.interpreter is not None:
            found = {**found, **self.interpreter.facts, "interpreter": self.interpreter.path}
        if self.commit is not None:
            found = {**found, "git": {"commit": self.commit.hash, "dirty": False}}
        return found


def surroundings_of(config: Config) -> Surroundings:
    """The surroundings that a configuration asks for, found and looked at.

    Raises:
        ConfigurationError: there is no such interpreter or commit, or the interpreter cannot run the trials.
    """
    here = _started_in[-1] if _started_in else os.getcwd()  # noqa: PTH109  (as it is on the path)
    return Surroundings(
        interpreter=None if config.python is None else interpreter(config.python, _modules_of(config)),
        commit=None if config.code is None else commit_of(config.code, Path(here)),
        own_code=here if here in sys.path else None,
    )


# The user's folder, while paths of a record are looked at from the folder that it was made in.
_started_in: list[str] = []


@contextlib.contextmanager
def own_code_from(folder: Path) -> Iterator[None]:
    """Meanwhile, commits and functions are those of ``folder``, whatever the current folder is."""
    _started_in.append(str(folder))
    try:
        yield
    finally:
        _started_in.pop()


def from_here(words: Sequence[str]) -> list[str]:
    """The user's words, with the path of an interpreter as it is from the current folder."""
    return [_from_here(word) for word in words]


def _from_here(word: str) -> str:
    key, _, path = word.partition("=")
    path = path.strip("'\"")
    if key != PYTHON or "/" not in path or path.startswith("~"):
        return word
    return f"{key}={quoted(key, os.path.abspath(path))}"  # noqa: PTH100  (links stay)


def _modules_of(config: Config) -> list[str]:
    """The modules that a trial imports."""
    groups = ("mode", "source", "task", "sink", *(() if config.consumer.name == "none" else ("consumer",)))
    options = {f"{group}={getattr(config, group).name}": getattr(config, group) for group in groups}
    late = [_PACKAGES[choice] for choice in options if choice in _PACKAGES]
    tensorflow = ["tensorflow"] if config.uses_tensorflow else []
    blas = [] if config.task.name in _WITHOUT_BLAS else ["threadpoolctl"]
    return [*late, *_EVERY, *tensorflow, *blas, *(option.module() for option in options.values())]
