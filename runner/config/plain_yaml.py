"""Reads YAML that may be a stranger's as plain data: texts, numbers, lists and mappings."""

from __future__ import annotations

from typing import Any

import yaml

# The most levels that Hydra's configuration has, several times over. Deeper ones would end the interpreter, in the loader's C code.
_DEEPEST = 64


def plain_yaml(text: bytes) -> Any:
    """What the YAML says.

    Raises:
        ValueError: it is nested too deeply.
        yaml.YAMLError: it is none, or would make anything but plain data.
    """
    loader, depth = getattr(yaml, "CSafeLoader", yaml.SafeLoader), 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested in more than {_DEEPEST} levels")
    return yaml.load(text, loader)  # noqa: S506  (it is a safe one)
