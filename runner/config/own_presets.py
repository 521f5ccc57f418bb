"""Presets in ``conf/experiment`` of the current folder. The folder may be a stranger's, so a preset in it holds choices and nothing else.

It can do what choices on the command line can, and less: it names no code, has nothing evaluated, and changes no setting of Hydra's own but what it
sweeps over and on how many processes or jobs a launcher runs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from runner.config.plain_yaml import plain_yaml
from runner.config.recorded_words import check_words, demands_of, key_of
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, MOST_BYTES, names_code
from runner.config.resolvers import RESOLVERS
from runner.errors import ConfigurationError
from runner.outside import bytes_of, in_one_line

_HEADER = re.compile(r"\s*# @package _global_[ \t]*\r?\n")
_ANY_HEADER = re.compile(r"^\s*#\s*@", re.MULTILINE)
_OVERRIDE = re.compile(r"override /(?P<group>\w+|hydra/(launcher|sweeper))", re.ASCII)
_OTHER_PRESET = re.compile(rf"(/?{EXPERIMENT}/)?\w[\w.-]*", re.ASCII)
_KEY = re.compile(r"[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)*", re.ASCII)
_RESOLVED = re.compile(rf"\$\{{({'|'.join(RESOLVERS)}):\}}")

# Far more nodes than a preset has; what refers to itself over and over would have no end.
_MOST_NODES = 2000

_ACCEPTED = (
    "the line '# @package _global_', 'override /group: option' under defaults, values of keys, and hydra.mode and hydra.sweeper.params for a sweep; "
    "the rest on the command line, or in a folder of yours that --config-dir names"
)


def own_preset(path: Path) -> Mapping[str, Any]:
    """What a preset says, checked.

    Raises:
        ConfigurationError: it is no preset, or holds more than choices.
    """
    try:
        raw = bytes_of(path, MOST_BYTES)
        text, content = raw.decode("utf-8"), plain_yaml(raw)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise _refused(path, f"cannot be read: {in_one_line(str(error))[:200]}") from None
    if not _HEADER.match(text) or len(_ANY_HEADER.findall(text)) != 1:
        raise _refused(path, "does not begin with '# @package _global_', and that alone")
    if not isinstance(content, dict):
        raise _refused(path, "is no mapping")
    if sum(1 for _ in itertools.islice(_nodes(content), _MOST_NODES)) == _MOST_NODES:
        raise _refused(path, "has more values than a preset can have")
    for word in _words(path, content):
        _check(path, word)
    return content


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    if isinstance(node, dict | list):
        for inside in node.values() if isinstance(node, dict) else node:
            yield from _nodes(inside)


def _words(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    """The words of a command line that do the same."""
    rest = dict(content)
    defaults, hydra = rest.pop("defaults", None) or [], rest.pop("hydra", None) or {}
    if not isinstance(defaults, list) or not isinstance(hydra, dict):
        raise _refused(path, "has defaults that are no list, or a section hydra that is no mapping")
    hydra = dict(hydra)
    yield from filter(None, (_of_default(path, entry) for entry in defaults))
    if hydra.pop("mode", "RUN") not in {"RUN", "MULTIRUN"}:
        raise _refused(path, "has another hydra.mode than RUN and MULTIRUN")
    sweeper = hydra.get("sweeper")
    if isinstance(sweeper, dict) and isinstance(params := sweeper.get("params"), dict):
        hydra["sweeper"] = {key: value for key, value in sweeper.items() if key != "params"}
        for key, values in params.items():
            if key_of(str(key)).partition(".")[0] not in KEYS or isinstance(values, dict | list):
                raise _refused(path, f"sweeps over {key!r:.80}")
            yield f"{key}={values}"
    yield from _flat(path, "hydra.", hydra)
    yield from _flat(path, "", rest)


def _of_default(path: Path, entry: Any) -> str | None:
    """The word for an entry of the defaults list; None for the file itself and for another preset, which is checked when it is read."""
    if isinstance(entry, str) and _OTHER_PRESET.fullmatch(entry):
        return None
    if isinstance(entry, dict) and len(entry) == 1:
        ((word, option),) = entry.items()
        match = _OVERRIDE.fullmatch(str(word))
        if match is not None and isinstance(option, str) and (match["group"] in GROUPS or "/" in match["group"]):
            return f"{match['group']}={option}"
    raise _refused(path, f"has the default {entry!r:.80}")


def _flat(path: Path, prefix: str, content: Mapping[Any, Any]) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict) and isinstance(key, str):
            yield from _flat(path, f"{prefix}{key}.", value)
            continue
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if not (part is None or isinstance(part, str | int | float | bool)):
                raise _refused(path, f"gives {prefix}{key} no plain value: {part!r:.80}")
            yield f"{prefix}{key}={part}"


def _check(path: Path, word: str) -> None:
    key = word.partition("=")[0]
    plain = _RESOLVED.sub("", word)
    if "/" not in key and not _KEY.fullmatch(key):
        raise _refused(path, f"has the key {key!r:.80}")
    if key in names_code():
        raise _refused(path, f"names code by {key}")
    if key == "resume":
        raise _refused(path, "goes on with another run by resume")
    try:
        check_words([plain], EXPERIMENT)
    except ConfigurationError as error:
        raise _refused(path, f"has {in_one_line(plain)[:80]!r}, which {error.reason}") from None
    if any(True for _ in demands_of([plain])):
        raise _refused(path, f"sets {key}")


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(EXPERIMENT, path.stem, f"the preset {path} {why}", _ACCEPTED)
