"""Whether plain data have the shape of a type, and the JSON Schema of a type: both from the ``TypedDict`` s of the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What a type is called in JSON.
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null", list: "array", dict: "object"}

_UNIONS = (Union, UnionType)


def misfit(value: object, kind: Any, where: str = "") -> str | None:
    """Where ``value`` does not have the shape of ``kind``, in words; None where it fits.

    Keys that ``kind`` does not know are left alone: a later version of this program may have written them.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        return _misfit_of_object(value, kind, where)
    if origin in _UNIONS:
        return _misfit_of_union(value, inner, where)
    shown = where or "it"
    if origin is Literal:
        return None if value in inner else f"{shown} is {value!r:.60}"
    expected = origin or kind
    if expected in _NAMES and not _is(value, expected):
        return f"{shown} is not of the type {_NAMES[expected]}"
    items: Sequence[tuple[str, object]] = ()
    if isinstance(value, list) and inner:
        items = [(f"{where}[{number}]", item) for number, item in enumerate(value)]
    elif isinstance(value, dict) and inner:
        items = [(f"{where}.{key}", item) for key, item in value.items()]
    return next((found for at, item in items if (found := misfit(item, inner[-1], at)) is not None), None)


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a ``TypedDict``; every ``TypedDict`` in it is a definition, and has no other keys than its own."""
    definitions: dict[str, Any] = {}
    top = _schema(kind, definitions)
    return {"$schema": DIALECT, **top, "$defs": dict(sorted(definitions.items()))}


def _misfit_of_object(value: object, kind: Any, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where or 'it'} is not of the type object"
    prefix = f"{where}." if where else ""
    hints, required = _keys_of(kind)
    missing = next((key for key in hints if key in required and key not in value), None)
    if missing is not None:
        return f"{prefix}{missing} is missing"
    inside = (misfit(value[key], hint, prefix + key) for key, hint in hints.items() if key in value)
    return next((found for found in inside if found is not None), None)


def _misfit_of_union(value: object, options: Sequence[Any], where: str) -> str | None:
    misfits: list[str] = []
    for option in options:
        found = misfit(value, option, where)
        if found is None:
            return None
        misfits.append(found)
    return max(misfits, key=_depth)  # the option that fits furthest is the one that was meant


def _is(value: object, kind: type) -> bool:
    if kind in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _depth(misfit_in_words: str) -> int:
    return misfit_in_words.count(".") + misfit_in_words.count("[")


@cache
def _keys_of(kind: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The type of each key of a ``TypedDict``, and the keys that are required."""
    hints = get_type_hints(kind, include_extras=True)
    # NotRequired is looked for here: where annotations are texts, Python 3.11 does not see it in __required_keys__.
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired} | kind.__optional_keys__
    plain = {key: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for key, hint in hints.items()}
    return plain, frozenset(hints) - optional


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = _object(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin in _UNIONS:
        return {"anyOf": [_schema(option, definitions) for option in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _schema(inner[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1], definitions)}
    return {"type": _NAMES[kind]} if kind in _NAMES else {}


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, required = _keys_of(kind)
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": {key: _schema(hint, definitions) for key, hint in hints.items()},
        "required": [key for key in hints if key in required],
        "additionalProperties": False,
    }
