"""The page of the documents that lists every field of ``result.json`` and ``sweep.json``, made from their JSON Schemas.

``make table`` writes it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.record.json_schema import schema_texts

_HEAD = """\
<!-- made by `make table` -->
# Every field of the record

`result.json` is a [ResultJson](#resultjson), `sweep.json` a [SweepJson](#sweepjson). Seconds end in `_s`, bytes in `_bytes`, per cent in `_pct`. A key that is
not always there came later, or depends on what was run. Null is what is not known. The same is in `runner/record/*.schema.json`, for a program
to check.
"""


def field_tables() -> str:
    """The page, in Markdown: a table for each type, in the order in which a reader meets them."""
    schemas = [json.loads(text) for text in schema_texts().values()]
    types = {name: kind for schema in schemas for name, kind in schema["$defs"].items()}
    names = dict.fromkeys(name for schema in schemas for name in _reached(schema, types, set()))
    return "\n".join([_HEAD, *(line for name in names for line in _table(name, types[name]))])


def write_field_tables(page: str = "docs/record-fields.md") -> None:
    """Write the page anew."""
    Path(page).write_text(field_tables(), encoding="utf-8", newline="\n")


def _reached(schema: Any, types: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """The names of the types that a schema refers to, each once, those it needs after it."""
    if isinstance(schema, list):
        for part in schema:
            yield from _reached(part, types, seen)
    elif isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield name
            yield from _reached(types[name]["properties"], types, seen)
        for key, part in schema.items():
            if key != "$defs":
                yield from _reached(part, types, seen)


def _table(name: str, kind: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    yield re.sub(r"\bNone\b", "null", kind["description"].replace("``", "`")) + "\n"
    if kind["properties"]:
        yield "| key | type |"
        yield "|---|---|"
        for key, schema in kind["properties"].items():
            yield f"| `{key}` | {_type(schema)}{'' if key in kind['required'] else '; not always there'} |"
        yield ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))
