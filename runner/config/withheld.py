"""Keeps passwords and tokens from Hydra, which writes and prints what it is given: masked texts stand in their place until a trial needs them.

The job of another launcher is a process of its own: what was withheld from it comes by a variable of its environment, and in no file.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write

from runner.config.restore import quoted
from runner.secrets import MASK, learn, masked_override, masked_setting
from runner.secrets.names import CONFIDENTIAL_MAPPINGS

_VARIABLE = "RUNNER_WITHHELD"
_WORD = re.compile(r"(?P<before>[+~]*)(?P<key>[A-Za-z_][\w./@-]*)=(?P<value>.+)", re.DOTALL)

# The texts by what stands in their place.
_withheld: dict[str, str] = {}


def withhold(words: Sequence[str]) -> list[str]:
    """The words of a command line with masked texts for those that have a secret in them. A word that Hydra cannot read is left for it to refuse."""
    return [_without_secrets(word) if "=" in word and masked_override(word) != word else word for word in words]


def withhold_in(config: DictConfig) -> None:
    """Do the same in a composed configuration, with what came from files of the user's; Hydra's own section is left as it is."""

    def mask(node: Any, key: Any, dotted: str, text: str) -> None:
        if text not in _withheld and (safe := masked_setting(dotted, text)) != text:
            node[key] = _kept(text, safe)

    with read_write(config), open_dict(config):
        for name in config:
            if name != "hydra" and isinstance(part := config._get_node(name), DictConfig):  # noqa: SLF001
                _for_each_text(part, str(name), mask)


def put_back(config: DictConfig) -> DictConfig:
    """The configuration with the texts that were withheld; itself where there are none."""
    known = _known()
    if not known:
        return config
    whole = copy.deepcopy(config)

    def restore(node: Any, key: Any, _: str, text: str) -> None:
        if text in known:
            node[key] = known[text]

    with read_write(whole), open_dict(whole):
        _for_each_text(whole, "", restore)
    return whole


def words_of_withheld(config: DictConfig, given: Sequence[str]) -> list[str]:
    """Words that give a job the masked texts of a composed configuration in place of what it would read from the user's files, beside those ``given``."""
    keys, words = {word.lstrip("+~").partition("=")[0] for word in given}, []
    for group in map(str, config):
        part = config._get_node(group)  # noqa: SLF001
        if group == "hydra" or not isinstance(part, DictConfig):
            continue
        for name in map(str, part):
            node = part._get_node(name)  # noqa: SLF001
            value = OmegaConf.to_container(node) if isinstance(node, DictConfig | ListConfig) else node._value()  # type: ignore[union-attr]  # noqa: SLF001
            if f"{group}.{name}" not in keys and any(text in _withheld and "${" not in text for text in _texts(value)):
                words.append(f"{group}.{name}={quoted(f'{group}.{name}', value)}")
    return words


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _texts(inside)


def original(text: str) -> str:
    """The text that was withheld, or the text itself."""
    return _known().get(text, text)


@contextlib.contextmanager
def handed_to_jobs() -> Iterator[None]:
    """Have processes that are started meanwhile know what was withheld."""
    if _withheld:
        os.environ[_VARIABLE] = json.dumps(_withheld)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)


def _known() -> Mapping[str, str]:
    if not _withheld and (handed := os.environ.pop(_VARIABLE, None)) is not None:  # a trial's processes need not have it
        for safe, text in json.loads(handed).items():
            _withheld[safe] = text
            learn(_secrets_of(text, safe))
    return _withheld


def _without_secrets(word: str) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep
    from hydra.errors import HydraException

    match = _WORD.fullmatch(word)
    try:
        value: Any = OverridesParser.create().parse_override(word)._value  # noqa: SLF001  (as it was written, with its quotes)
    except HydraException:
        return word
    if match is None:
        return word
    key = match["key"].partition("@")[0]
    if isinstance(value, ChoiceSweep):
        texts = [_written(_safe(one, key)) for one in value.list]
        text = ",".join(texts) if value.simple_form else f"choice({','.join(texts)})"
    else:
        text = _written(_safe(value, key))
    return f"{match['before']}{match['key']}={text}"


def _safe(value: Any, key: str) -> Any:
    """A value as Hydra's parser has it, with masked texts."""
    from hydra.core.override_parser.types import QuotedString

    if isinstance(value, dict):
        return {name: _safe(inside, f"{key}.{name}") for name, inside in value.items()}
    if isinstance(value, list):
        return [_safe(inside, key) for inside in value]
    if isinstance(value, QuotedString):
        safe = masked_setting(key, value.text)
        return value if safe == value.text else QuotedString(text=_kept(value.text, safe), quote=value.quote)
    if isinstance(value, str) or (isinstance(value, int | float) and not CONFIDENTIAL_MAPPINGS.isdisjoint(key.split("."))):
        safe = masked_setting(key, str(value))
        return value if safe == str(value) else _kept(str(value), safe)
    return value


def _written(value: Any) -> str:
    from hydra.core.override_parser.types import Override

    return str(Override._get_value_element_as_str(value))  # noqa: SLF001  (for what its parser has made)


def _kept(text: str, safe: str) -> str:
    """What stands for ``text``: ``safe``, or the same with a number where that stands for another text already."""
    numbered = (safe if number == 1 else safe.replace(MASK, f"{MASK}{number}") for number in count(1))
    stand_in = next(one for one in numbered if _withheld.get(one, text) == text)
    if text != safe:
        _withheld[stand_in] = text
        learn(_secrets_of(text, safe))
    return stand_in


def _secrets_of(text: str, safe: str) -> list[str]:
    """The parts of ``text`` for which there is a mask in ``safe``."""
    around = [re.escape(part) for part in re.split(r"\*\*\*\d*", safe)]
    match = re.fullmatch("(.+?)".join(around), text, re.DOTALL)
    return list(match.groups()) if match else [text]


def _for_each_text(node: Any, dotted: str, do: Callable[[Any, Any, str, str], None]) -> None:
    """Call ``do(container, key, dotted key, text)`` for each text of a configuration; no interpolation is resolved."""
    inside = node._get_node  # noqa: SLF001  (there is no public way to a value that is not resolved)
    for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
        child = inside(key)
        name = f"{dotted}.{key}" if dotted else str(key)
        if isinstance(node, ListConfig):
            name = dotted
        if isinstance(child, DictConfig | ListConfig):
            if not (child._is_none() or child._is_missing() or child._is_interpolation()):  # noqa: SLF001
                _for_each_text(child, name, do)
        elif isinstance(text := child._value(), str):  # noqa: SLF001
            do(node, key, name, text)
