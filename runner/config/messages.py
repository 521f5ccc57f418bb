"""Messages about a key, a value or an option that is not accepted: what was given, and what would be accepted."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Any

from runner.config.fields import accepted
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, files_of, options
from runner.errors import ConfigurationError


def accepted_by(owner: Any, field: str) -> str:
    """What ``field`` of ``owner``, a dataclass or its instance, accepts, in words."""
    spec = (
        next((spec for spec in dataclasses.fields(owner) if spec.name == field), None)
        if dataclasses.is_dataclass(owner)
        else None
    )
    if spec is None:
        return "see --help"
    kind = owner if isinstance(owner, type) else type(owner)
    phrase = accepted(spec, typing.get_type_hints(kind).get(field))
    doc = spec.metadata.get("doc")
    return f"{phrase} ({doc})" if doc and not phrase.startswith("one of ") else phrase


def no_such_option(group: str, given: str, folder: str | None = None) -> ConfigurationError:
    """The message for an option that its group does not have; ``folder`` is another one with options, of the user's."""
    known = known_choices()[group]
    if folder is not None:
        known = sorted({*known, *(path.stem for path in Path(folder, group).glob("*.yaml"))})
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigurationError(group, given, f"there is no such {group}{hint}", "one of " + ", ".join(known))


def unknown_key(key: str, given: object, owner: Any) -> ConfigurationError:
    """The message for a key that ``owner``, the dataclass around it, does not have; None stands for the root."""
    leaf = key.rsplit(".", 1)[-1]
    if owner is None or owner is Config:
        known, where = names_of_fields(Config), "there is no such key"
    else:
        parent = key.rpartition(".")[0]
        title = getattr(owner, "name", None)
        option = f"{parent}={title}" if isinstance(title, str) else parent
        known, where = [name for name in names_of_fields(owner) if name != "name"], f"{option} has no such field"
        others = [name for name, kind in options().get(parent, {}).items() if leaf in names_of_fields(kind)]
        if others:
            where += f"; it belongs to {parent}={' and '.join(others)}"
    near = difflib.get_close_matches(leaf, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigurationError(key, given, where + hint, ", ".join(known) or "no field at all")


def missing(key: str, owner: Any) -> ConfigurationError:
    """The message for a field of ``owner`` that has to be given and is not; ``key`` is its dotted name."""
    return ConfigurationError(key, None, "must be given", accepted_by(owner, key.rpartition(".")[2]))


def several_values(key: str, values: str) -> ConfigurationError:
    """The message for several values of a key where no sweep was asked for."""
    return ConfigurationError(key, values, "several values make a sweep", "one value; or add -m to run every combination")


def known_choices() -> dict[str, list[str]]:
    """The names of all options of each group, and of the presets."""
    return {group: list(kinds) for group, kinds in options().items()} | {EXPERIMENT: files_of(EXPERIMENT)}


def names_of_fields(owner: Any) -> list[str]:
    """The names of the fields of a dataclass; none for anything else."""
    return [spec.name for spec in dataclasses.fields(owner)] if dataclasses.is_dataclass(owner) else []
