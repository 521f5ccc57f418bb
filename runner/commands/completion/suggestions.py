"""How a word of the command line may go on, from the register and without Hydra, so that it takes a fifth of a second."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_type_hints

from runner.commands.completion.verbs import FILES, KEYS_AND_VALUES, Flag, verbs
from runner.commands.help import HYDRA_FLAGS, PRESETS, keys_beside_groups
from runner.config.fields import Rule
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, default_of, doc_of, files_of, options

_RUN = "run"
_RUN_DOC = "measure; what is done without a command"

# Flags of Hydra's whose next word is one of these.
_HYDRA_VALUES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}

# Keys whose value is the name of a folder, beside those of options that say so.
_FOLDERS = frozenset({"resume"})


@dataclass(frozen=True)
class Suggestion:
    """One way to go on.

    Attributes:
        word: whole; one that ends in ``=`` or ``.`` is not finished.
        doc: what it means.
    """

    word: str
    doc: str = ""


@dataclass(frozen=True)
class Suggestions:
    """All ways to go on.

    Attributes:
        words: in the order in which they are shown.
        files: whether what follows the last ``=`` may be the name of a file or a folder.
    """

    words: Sequence[Suggestion] = ()
    files: bool = False


def suggested(words: Sequence[str]) -> Suggestions:
    """How the last of ``words`` may go on; the first is the program.

    Raises:
        ConfigurationError: one of the user's own options cannot be taken.
    """
    current, before = words[-1] if len(words) > 1 else "", list(words[1:-1])
    verb = before[0] if before and (before[0] in verbs() or before[0] == _RUN) else None
    if verb is None or verb == _RUN:
        found = _of_a_run(before, current, may_be_verb=not before)
    else:
        found = _of_a_verb(verb, before[1:], current)
    return dataclasses.replace(found, words=[one for one in found.words if one.word.startswith(current)])


def _of_a_run(before: Sequence[str], current: str, *, may_be_verb: bool) -> Suggestions:
    last = before[-1] if before else ""
    if last in _HYDRA_VALUES:
        return Suggestions([Suggestion(value) for value in _HYDRA_VALUES[last]])
    if last in {"--config-dir", "-cd"}:
        return Suggestions(files=True)
    if current.startswith("-"):
        return Suggestions(
            [Suggestion(flag.split()[0], doc) for flags, doc in HYDRA_FLAGS.items() for flag in flags.split(", ")]
        )
    commands = {_RUN: _RUN_DOC} | {name: verb["doc"] for name, verb in verbs().items()} if may_be_verb else {}
    of_keys = _of_an_override(before, current)
    return Suggestions([*(Suggestion(name, doc) for name, doc in commands.items()), *of_keys.words], of_keys.files)


def _of_a_verb(verb: str, before: Sequence[str], current: str) -> Suggestions:
    words = verbs()[verb]
    flags = words["flags"]
    if before and (flag := flags.get(before[-1])) is not None and flag["takes"] != "nothing":
        return _of_values(flag)
    if current.startswith("-"):
        return Suggestions([Suggestion(name, flag["doc"]) for name, flag in flags.items()])
    found = _of_an_override(before, current) if KEYS_AND_VALUES in words["words"] else Suggestions()
    values = [Suggestion(value) for value in words["values"]]
    return Suggestions([*values, *found.words], files=found.files or FILES in words["words"])


def _of_values(flag: Flag) -> Suggestions:
    return Suggestions([Suggestion(value) for value in flag["values"]], files=flag["takes"] == FILES)


def _of_an_override(before: Sequence[str], current: str) -> Suggestions:
    chosen = {group: option for group, _, option in (word.partition("=") for word in before) if group in GROUPS}
    key, equals, value = current.partition("=")
    if not equals:
        return Suggestions([Suggestion(word, doc) for word, doc in _keys(current, chosen)])
    # Of several values, which make a sweep, the last is not finished.
    start = f"{key}={value[: value.rfind(',') + 1]}"
    if key in GROUPS or key == EXPERIMENT:
        names = files_of(EXPERIMENT) if key == EXPERIMENT else list(options()[key])
        return Suggestions([Suggestion(f"{start}{name}", doc_of(key, name)) for name in names])
    spec, kind = _field(key, chosen)
    if spec is None:
        return Suggestions()
    files = bool(spec.metadata.get("must_exist")) or key in _FOLDERS
    return Suggestions([Suggestion(f"{start}{one}") for one in _values(spec, kind)], files)


def _keys(current: str, chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The keys that can be given, each with what it means: fields only below a group that is written out."""
    group = current.partition(".")[0]
    if group in GROUPS and "." in current:
        for kind in _kinds(group, chosen):
            yield from (
                (f"{group}.{spec.name}=", spec.metadata["doc"]) for spec in dataclasses.fields(kind) if spec.name != "name"
            )
        return
    for group in GROUPS:
        yield f"{group}=", KEYS[group].metadata["doc"]
        if current and any(len(dataclasses.fields(kind)) > 1 for kind in _kinds(group, chosen)):
            yield f"{group}.", f"a field of {group}"
    yield f"{EXPERIMENT}=", PRESETS
    yield from ((f"{key}=", doc) for key, _, doc in keys_beside_groups())


def _kinds(group: str, chosen: Mapping[str, str]) -> list[type[Any]]:
    """The type of the chosen option, or of the default; of each where several are chosen."""
    kinds = options()[group]
    names = chosen.get(group, default_of(group)).split(",")
    return list(dict.fromkeys(kinds[name] for name in names if name in kinds))


def _field(key: str, chosen: Mapping[str, str]) -> tuple[dataclasses.Field[Any] | None, Any]:
    """The field that a key names, and its type; None where there is none."""
    group, dot, name = key.partition(".")
    owners = _kinds(group, chosen) if group in GROUPS else [Config] if not dot else [get_type_hints(Config).get(group)]
    for owner in owners:
        for spec in dataclasses.fields(owner) if dataclasses.is_dataclass(owner) else ():
            if spec.name == (name or group):
                return spec, get_type_hints(owner)[spec.name]
    return None, None


def _values(spec: dataclasses.Field[Any], kind: Any) -> list[str]:
    """The values that a field accepts, where they can be listed."""
    kinds = [part for part in typing.get_args(kind) or (kind,) if part is not type(None)]
    rule: Rule = spec.metadata.get("rule", Rule())
    if rule.choices is not None:
        return [str(choice) for choice in rule.choices]
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return [str(choice.value) for choice in kinds[0]]
    if bool in kinds:
        return ["true", "false"]
    return [rule.word] if rule.word is not None else []
