"""Functions of the user's own, named in the configuration as ``package.module:name``, and the folder in which they are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from runner.errors import ConfigurationError

# In the environment of a trial, and so of all its workers: the folder of the commit from which own functions have to come.
_CHECKOUT = "RUNNER_CODE"


@dataclass(frozen=True)
class CodePlan:
    """Where a trial looks for functions of the user's own.

    Attributes:
        folder: is looked at after all others of Python's path.
        repository: the checkout whose folders on the path are replaced by those of ``checkout``; None where nothing is.
        checkout: another commit of it.
    """

    folder: str
    repository: str | None = None
    checkout: str | None = None

    def use(self) -> None:
        """Change the path of this process, which the processes it starts take over."""
        if self.repository is not None and self.checkout is not None:
            sys.path[:] = [_moved(entry, Path(self.repository), Path(self.checkout)) for entry in sys.path]
            os.environ[_CHECKOUT] = self.checkout
        if self.folder not in sys.path:
            sys.path.append(self.folder)


def _moved(entry: str, repository: Path, checkout: Path) -> str:
    """The same folder in the other checkout, where that has it; environments in the repository's folder are in no commit."""
    if not Path(entry).is_relative_to(repository):
        return entry
    other = checkout / Path(entry).relative_to(repository)
    return str(other) if other.is_dir() else entry


def imported(key: str, named: str, accepted: str) -> Callable[[Any], Any]:
    """The function that ``key=named`` names, imported now.

    Raises:
        ConfigurationError: there is none.
    """
    module, _, name = named.partition(":")
    try:
        function = getattr(import_module(module), name)
    except ImportError as error:
        raise ConfigurationError(key, named, f"cannot be imported: {error}", accepted) from error
    except AttributeError as error:
        raise ConfigurationError(key, named, f"{module} has no {name}", accepted) from error
    _refuse_other_code(key, named, module)
    if not callable(function):
        raise ConfigurationError(key, named, f"is no function but {type(function).__name__}", accepted)
    return function  # type: ignore[no-any-return]


def _refuse_other_code(key: str, named: str, module: str) -> None:
    """Refuse a module that is not from the commit that is measured: each commit would be measured with the same code."""
    checkout, file = os.environ.get(_CHECKOUT), getattr(sys.modules[module], "__file__", None)
    if checkout is not None and file is not None and not Path(file).is_relative_to(checkout):
        raise ConfigurationError(
            key,
            named,
            f"comes from {file}, and not from the commit of code=",
            "a module that is in the commit, and not installed",
        )
