"""Functions of the user's own, by name: whether their modules could be imported, without running any of their code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

from runner.errors import ConfigurationError

# How a function is named: its module, a colon, its own name.
FUNCTION = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*"


def missing_module(module: str) -> str | None:
    """The part of ``package.module`` that does not exist; None if all parts exist."""
    folders: Sequence[str] | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = _spec_of(".".join(parts[:count]), folders)
        if spec is None or (count < len(parts) and spec.submodule_search_locations is None):
            return ".".join(parts[:count] if spec is None else parts[: count + 1])
        folders = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    return None


def _spec_of(module: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    """What ``import`` would load. Unlike ``importlib.util.find_spec``, it does not run the packages around the module."""
    specs = (finder.find_spec(module, folders) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)


def refuse_missing_module(key: str, named: str) -> None:
    """Refuse ``package.module:name`` where there is no such module. Nothing of it is imported.

    Raises:
        ConfigurationError: there is none.
    """
    missing = missing_module(named.partition(":")[0])
    if missing is not None:
        accepted = "package.module:name of a module on the path; PYTHONPATH=. where it is a file of this folder"
        raise ConfigurationError(key, named, f"there is no module {missing}", accepted)
