"""The JSON Schema of a preset, by which an editor marks a wrong key or value while it is typed; made from the options' types.

It lies beside the presets, each of which names it in a comment that editors with the YAML language server read. ``make schema`` writes it again.
Hydra and the program's own checks decide all the same: what several keys together mean is not in it.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, get_type_hints

from runner.config.fields import MISSING, Rule
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, conf_dir, doc_of, options

# The name of the file, and the line of a preset that points to it.
SCHEMA_NAME = "preset.schema.json"
SCHEMA_LINE = f"# yaml-language-server: $schema={SCHEMA_NAME}"

# The dialect that editors know.
_DIALECT = "http://json-schema.org/draft-07/schema#"

# A value that Hydra works out, such as ${doubled_workers:}.
_WORKED_OUT = {"type": "string", "pattern": r"\$\{"}

_TYPES: Mapping[Any, Any] = {
    int: "integer",
    float: "number",
    bool: "boolean",
    str: ["string", "number"],
}  # a number is taken as a text


def preset_schema() -> dict[str, Any]:
    """The schema of a file in ``conf/experiment``, with the user's own options among the others.

    Raises:
        ConfigurationError: one of the user's own options cannot be taken.
    """
    definitions = {
        f"{group}={name}": _section(kind, doc_of(group, name)) for group in GROUPS for name, kind in options()[group].items()
    }
    return {
        "$schema": _DIALECT,
        "title": "preset",
        "description": "A whole experiment by name: python -m runner experiment=NAME takes it.",
        "type": "object",
        "properties": {
            "defaults": {"description": "the options that are chosen", "type": "array", "items": _default()},
            **{key: _key(key) for key in KEYS},
            "hydra": _hydra(),
        },
        "additionalProperties": False,
        # Where an option is chosen, its section has the fields of that option only.
        "allOf": [_where_chosen(*name.split("=")) for name in definitions],
        "definitions": definitions,
    }


def preset_schema_text() -> str:
    """What the file should hold."""
    return _text(preset_schema(), 4) + "\n"


def write_preset_schema() -> None:
    """Write the file beside the program's own presets anew."""
    (conf_dir() / EXPERIMENT / SCHEMA_NAME).write_text(preset_schema_text(), encoding="utf-8", newline="\n")


def _text(value: Any, levels: int, indent: str = "") -> str:
    """JSON with so many levels of mappings spread over lines, so that each field of an option has one."""
    if not levels or not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = indent + " "
    lines = [f"{inner}{json.dumps(key)}: {_text(inside, levels - 1, inner)}" for key, inside in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _default() -> dict[str, Any]:
    """An entry of the list of choices: an option of a group, one of Hydra's, or the name of another preset."""
    groups = {f"override /{group}": {"enum": list(options()[group])} for group in GROUPS}
    return {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": groups,
                "patternProperties": {"^override /?hydra/": {"type": ["string", "null"]}},
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    }


def _key(key: str) -> dict[str, Any]:
    doc = KEYS[key].metadata["doc"]
    if key in GROUPS:
        return {"description": doc, "type": "object", "properties": _of_any(key), "additionalProperties": False}
    kind = get_type_hints(Config)[key]
    return _section(kind, doc) if dataclasses.is_dataclass(kind) else _value(KEYS[key], kind)


def _of_any(group: str) -> dict[str, Any]:
    """The fields that an option of the group may have, for where none is chosen in the same file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for option, kind in options()[group].items():
        for name, schema in _fields(kind):
            known = found.setdefault(name, {})
            if schema not in known.values():
                known[option] = schema
    refer = "#/definitions/{}={}/properties/{}".format
    return {name: {"anyOf": [{"$ref": refer(group, option, name)} for option in known]} for name, known in found.items()}


def _where_chosen(group: str, name: str) -> dict[str, Any]:
    entry = f"override /{group}"
    contains = {"type": "object", "properties": {entry: {"const": name}}, "required": [entry]}
    return {
        "if": {"properties": {"defaults": {"contains": contains}}, "required": ["defaults"]},
        "then": {"properties": {group: {"$ref": f"#/definitions/{group}={name}"}}},
    }


def _section(kind: Any, doc: str) -> dict[str, Any]:
    return {"description": doc, "type": "object", "properties": dict(_fields(kind)), "additionalProperties": False}


def _fields(kind: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    hints = get_type_hints(kind)
    for spec in dataclasses.fields(kind):
        if spec.name != "name":
            yield spec.name, _value(spec, hints[spec.name])


def _value(spec: dataclasses.Field[Any], kind: Any) -> dict[str, Any]:
    """A field: its type, its rule, and null where that is a value of it."""
    parts = typing.get_args(kind) if typing.get_origin(kind) not in {list, dict} else (kind,)
    accepted: list[Any] = [schema for part in parts or (kind,) if (schema := _type(part)) is not None]
    rule: Rule = spec.metadata.get("rule", Rule())
    if rule.choices is not None:
        one = {"enum": list(rule.choices)}
        accepted = [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}] if kind is Any else [one]
    elif rule.word is not None:
        accepted = [schema for schema in accepted if schema != _type(str)]
    pattern = None if rule.matches is None else f"^(?:{rule.matches})$"
    limits = {"minimum": rule.at_least, "maximum": rule.at_most, "exclusiveMinimum": rule.above, "pattern": pattern}
    accepted = [schema | {name: limit for name, limit in limits.items() if limit is not None} for schema in accepted]
    accepted += [{"const": rule.word}] if rule.word is not None else []
    accepted += [{"type": "null"}] if type(None) in parts else []
    described: dict[str, Any] = {"description": spec.metadata["doc"]}
    unknown = Any in (kind, *parts) and rule.choices is None
    return described if unknown else described | {"anyOf": [*accepted, _WORKED_OUT]} | _default_of(spec)


def _default_of(spec: dataclasses.Field[Any]) -> dict[str, Any]:
    value = spec.default
    if value is dataclasses.MISSING or value == MISSING:
        return {}
    return {"default": value.value if isinstance(value, Enum) else value}


def _type(kind: Any) -> dict[str, Any] | None:
    """The schema of a type; None for that of null, which is a value by itself."""
    if kind is type(None):
        return None
    if typing.get_origin(kind) is list:
        return {"type": "array", "items": _type(typing.get_args(kind)[0]) or {}}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [choice.value for choice in kind]}
    return {"type": _TYPES[kind]} if kind in _TYPES else {}


def _hydra() -> dict[str, Any]:
    """The section that makes a sweep of it; what else Hydra can be told is left to Hydra."""
    fields = [f"{group}.{name}" for group in GROUPS for name in _of_any(group)]
    names = [*KEYS, *fields, *(f"host.{name}" for name, _ in _fields(get_type_hints(Config)["host"]))]
    params = {
        "description": "the values of each key over which it sweeps",
        "type": "object",
        "propertyNames": {"anyOf": [{"enum": names}, {"pattern": "^hydra[./]"}]},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    }
    sweeper = {"type": "object", "properties": {"params": params}}
    return {
        "description": "Hydra's own settings",
        "type": "object",
        "properties": {"mode": {"enum": ["RUN", "MULTIRUN"]}, "sweeper": sweeper},
    }
