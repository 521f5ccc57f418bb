"""Whether plain data have the shape of a type, and the JSON Schema of a type: both from the ``TypedDict`` s of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from runner.record.limits import Having

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What a type is called in JSON.
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null", list: "array", dict: "object"}

_UNIONS = (Union, UnionType)


# Where a value does not fit, such as ``.trials[0].status``, and in what way; None where it fits.
_Misfit = tuple[str, str] | None
_Check = Callable[[Any], _Misfit]


def misfit(value: object, kind: Any) -> str | None:
    """Where ``value``, plain data from JSON, does not have the shape of ``kind``, in words; None where it fits.

    Keys that ``kind`` does not know are left alone: a later version of this program may have written them.
    """
    wrong = _check_of(kind)(value)
    return None if wrong is None else f"{wrong[0].lstrip('.') or 'it'} {wrong[1]}"


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a ``TypedDict``; every ``TypedDict`` in it is a definition, and has no other keys than its own."""
    definitions: dict[str, Any] = {}
    top = _schema(kind, definitions)
    return {"$schema": DIALECT, **top, "$defs": dict(sorted(definitions.items()))}


@cache
def _check_of(kind: Any) -> _Check:  # noqa: PLR0911  (one for each form of a type)
    """A function that looks at one value; made once for each type, because a record has thousands of values."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _check_within(_check_of(inner[0]), inner[1])
    if is_typeddict(kind):
        return _check_of_object(kind)
    if origin in _UNIONS:
        return _check_of_union(inner)
    if origin is Literal:
        return lambda value: None if value in inner else ("", f"is {value!r:.60}")
    if origin is list:
        return _check_of_items(list, _check_of(inner[0]), enumerate, "[{}]".format)
    if origin is dict:
        return _check_of_items(dict, _check_of(inner[1]), lambda value: value.items(), ".{}".format)
    return _check_of_plain(kind)


def _check_of_plain(kind: Any, what: str | None = None) -> _Check:
    """The check of a type that holds no other; ``what`` says that a value is not of it."""
    if kind not in _NAMES:
        return lambda _: None
    accepted = {int, float} if kind is float else {kind}
    wrong = ("", what or f"is not of the type {_NAMES[kind]}")
    return lambda value: None if type(value) in accepted else wrong


def _check_within(is_kind: _Check, more: Any) -> _Check:
    """What is annotated with ``Limits``, or with the keys that it has at least."""
    if isinstance(more, Having):
        if more.what is not None:
            is_kind = _check_of_plain(dict, more.what)
        return _check_of_keys(is_kind, [(key, _check_of(hint), True) for key, hint in more.keys.items()])

    def check(value: Any) -> _Misfit:
        wrong = is_kind(value)
        return ("", f"{more.what}: {value!r:.60}") if wrong is None and not more.keeps(value) else wrong

    return check


def _check_of_items(
    kind: type, inside: _Check, items: Callable[[Any], Iterable[tuple[Any, Any]]], place: Callable[[Any], str]
) -> _Check:
    is_kind = _check_of_plain(kind)

    def check(value: Any) -> _Misfit:
        if (wrong := is_kind(value)) is not None:
            return wrong
        for key, item in items(value):
            if (wrong := inside(item)) is not None:
                return place(key) + wrong[0], wrong[1]
        return None

    return check


def _check_of_object(kind: Any) -> _Check:
    hints, required = _keys_of(kind)
    return _check_of_keys(_check_of_plain(dict), [(key, _check_of(hint), key in required) for key, hint in hints.items()])


def _check_of_keys(is_object: _Check, inside: Sequence[tuple[str, _Check, bool]]) -> _Check:
    """Each key with the check of its value, and whether it is required."""

    def check(value: Any) -> _Misfit:
        if (wrong := is_object(value)) is not None:
            return wrong
        for key, check_value, is_required in inside:
            if key not in value:
                if is_required:
                    return f".{key}", "is missing"
            elif (wrong := check_value(value[key])) is not None:
                return f".{key}{wrong[0]}", wrong[1]
        return None

    return check


def _check_of_union(options: Sequence[Any]) -> _Check:
    checks = [_check_of(option) for option in options]

    def check(value: Any) -> _Misfit:
        misfits = []
        for check_option in checks:
            wrong = check_option(value)
            if wrong is None:
                return None
            misfits.append(wrong)
        return max(misfits, key=_depth)  # the option that fits furthest is the one that was meant

    return check


def _depth(wrong: tuple[str, str]) -> int:
    return wrong[0].count(".") + wrong[0].count("[")


@cache
def _keys_of(kind: Any) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The type of each key of a ``TypedDict``, and the keys that are required."""
    hints = get_type_hints(kind, include_extras=True)
    # NotRequired is looked for here: where annotations are texts, Python 3.11 does not see it in __required_keys__.
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired} | kind.__optional_keys__
    plain = {key: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for key, hint in hints.items()}
    return plain, frozenset(hints) - optional


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911  (one for each form of a type)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _schema(inner[0], definitions) | _schema_of_more(inner[1], definitions)
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


def _schema_of_more(more: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(more, Having):
        return dict(more.schema())
    return {"properties": {key: _schema(hint, definitions) for key, hint in more.keys.items()}, "required": list(more.keys)}


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, required = _keys_of(kind)
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": {key: _schema(hint, definitions) for key, hint in hints.items()},
        "required": [key for key in hints if key in required],
        "additionalProperties": False,
    }
