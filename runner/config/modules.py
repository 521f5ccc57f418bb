"""Whether a module could be imported, without running any of its code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec


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
