"""Messages about what is wrong with a configuration: the key, what was given, what is accepted."""

from __future__ import annotations

import dataclasses
import difflib
import re
import shlex
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config.fields import accepted
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, files_of, options
from runner.config.words import config_folder, how_to_quote
from runner.errors import ConfigurationError, first_line
from runner.secrets import masked_override


def explain(error: BaseException, words: Sequence[str]) -> ConfigurationError:
    """The one message for an error that Hydra or OmegaConf raised while composing the words of a command line."""
    chain, overrides = _chain(error), [word for word in words if "=" in word and not word.startswith("-")]
    for cause in chain:
        if isinstance(cause, ConfigurationError):
            return cause
    choice = _bad_choice(chain, overrides, words)
    if choice is not None:
        return choice
    for cause in chain:
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            return _bad_key(cause, overrides)
        no_override = re.search(r"Could not override '([^']+)'", str(cause))
        if no_override and not isinstance(cause.__cause__, OmegaConfBaseException):
            return unknown_key(no_override[1], _given(no_override[1], overrides), None)
    if (unreadable := how_to_quote(overrides)) is not None:
        key, given, quoted = unreadable
        shown = masked_override(f"{key}={given}").partition("=")[2]
        how = quoted if shown == given else shlex.quote(f'{key}="..."')
        return ConfigurationError(key, shown, "cannot be read by Hydra as it is", f"its text in quotes, as in {how}")
    return ConfigurationError(
        "command line", " ".join(map(masked_override, overrides)) or None, first_line(error), "key=value, see --help"
    )


def _bad_choice(chain: Sequence[BaseException], overrides: Sequence[str], words: Sequence[str]) -> ConfigurationError | None:
    """The message for an option that its group does not have, or for several options without -m."""
    for cause in chain:
        missing = re.search(r"(?:Could not find|Could not load) '?([\w/]+)/([^'/\s]+?)'?(?:\s|$|\.)", str(cause))
        if missing and missing[1] in _groups():
            return no_such_option(missing[1], missing[2], config_folder(words))
        if "Config group override must be" in str(cause) and (unknown := _unknown_option(overrides)) is not None:
            return unknown
        ambiguous = re.search(r"Ambiguous value for argument '([^=']+)=([^']*)'", str(cause))
        if ambiguous:
            return ConfigurationError(
                ambiguous[1], ambiguous[2], "several values make a sweep", "one value; or add -m to run every combination"
            )
    return None


def _unknown_option(overrides: Sequence[str]) -> ConfigurationError | None:
    for group, known in _groups().items():
        given = _given(group, overrides)
        if given is not None and not set(given.split(",")) <= set(known):
            return no_such_option(group, given)
    return None


def accepted_by(owner: Any, key: str) -> str:
    """What the field ``key`` (dotted) accepts, in words; ``owner`` is a dataclass, its instance, or a node typed by one."""
    spec, kind = _field(owner, key)
    if spec is None:
        return "see --help"
    phrase = accepted(spec, kind)
    doc = spec.metadata.get("doc")
    return f"{phrase} ({doc})" if doc and not phrase.startswith("one of ") else phrase


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _groups() -> dict[str, list[str]]:
    return {group: list(kinds) for group, kinds in options().items()} | {EXPERIMENT: files_of(EXPERIMENT)}


def no_such_option(group: str, given: str, folder: str | None = None) -> ConfigurationError:
    """The message for an option that its group does not have; ``folder`` is another one with options, of the user's."""
    known = _groups()[group]
    if folder is not None:
        known = sorted({*known, *(path.stem for path in Path(folder, group).glob("*.yaml"))})
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigurationError(group, given, f"there is no such {group}{hint}", "one of " + ", ".join(known))


def _bad_key(error: OmegaConfBaseException, overrides: Sequence[str]) -> ConfigurationError:
    key = re.sub(r"(\[\d+\])+$", "", str(error.full_key))  # the user gave the whole list, not this item
    if error.value is not None:
        given: object = error.value
    else:
        given = _given(key, overrides)
    node = error.parent_node
    while isinstance(node, ListConfig):
        node, given = node._get_parent(), _given(key, overrides)  # noqa: SLF001  (there is no public way up)
    owner = OmegaConf.get_type(node) if isinstance(node, DictConfig) else error.object_type
    leaf = key.rsplit(".", 1)[-1]
    known = _names(owner)
    if known and leaf not in known:
        return unknown_key(key, given, owner)
    if not known:
        return unknown_key(key, given, None)
    return ConfigurationError(key, given, "is not accepted", accepted_by(owner, leaf))


def unknown_key(key: str, given: object, owner: Any) -> ConfigurationError:
    """The message for a key that ``owner``, the dataclass around it, does not have; None stands for the root."""
    leaf = key.rsplit(".", 1)[-1]
    if owner is None or owner is Config:
        known, where = _names(Config), "there is no such key"
    else:
        parent = key.rpartition(".")[0]
        title = getattr(owner, "name", None)
        option = f"{parent}={title}" if isinstance(title, str) else parent
        known, where = [name for name in _names(owner) if name != "name"], f"{option} has no such field"
        others = [name for name, kind in options().get(parent, {}).items() if leaf in _names(kind)]
        if others:
            where += f"; it belongs to {parent}={' and '.join(others)}"
    near = difflib.get_close_matches(leaf, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return ConfigurationError(key, given, where + hint, ", ".join(known) or "no field at all")


def _given(key: str, overrides: Sequence[str]) -> str | None:
    for override in reversed(overrides):
        name, equals, _ = override.partition("=")
        if equals and name.lstrip("+~").partition("@")[0] == key:
            return masked_override(override).partition("=")[2]
    return None


def _names(owner: Any) -> list[str]:
    return [spec.name for spec in dataclasses.fields(owner)] if dataclasses.is_dataclass(owner) else []


def _field(owner: Any, key: str) -> tuple[dataclasses.Field[Any] | None, Any]:
    """The field that ``key`` names below ``owner``, and its type."""
    *path, leaf = key.split(".")
    for step in path:
        owner = owner[step] if isinstance(owner, DictConfig) else getattr(owner, step)
    if isinstance(owner, DictConfig):
        owner = OmegaConf.get_type(owner)
    if not dataclasses.is_dataclass(owner):
        return None, None
    kind = owner if isinstance(owner, type) else type(owner)
    for spec in dataclasses.fields(owner):
        if spec.name == leaf:
            return spec, typing.get_type_hints(kind).get(leaf)
    return None, None
