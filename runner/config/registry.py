"""From the name of an option to the code that does it.

``mode=thread_pool`` is what ``runner/modes/thread_pool.py`` provides, and so on for sources, tasks and sinks. Only names that
are in the schema come here, so a configuration from somebody else selects code of this program and no other.
"""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword
from typing import Any

from runner.config.options import OPTIONS


def module_of(group: str, name: str) -> str:
    """The module for option ``name`` of ``group``; where the name is a word of Python's own, the file has a ``_`` behind it."""
    if name not in OPTIONS[group]:
        raise KeyError(f"{group}={name} is not an option")
    place = "runner.modes" if group == "mode" else f"runner.pipeline.{group}s"
    return f"{place}.{name}{'_' if iskeyword(name.title()) or iskeyword(name) else ''}"


def load(group: str, name: str) -> Any:
    """What the module for option ``name`` of ``group`` provides."""
    return import_module(module_of(group, name)).PROVIDES
