"""A field of an option: its default, what it means, which values it accepts, and what it is for."""

from __future__ import annotations

import math
import re
import typing
from dataclasses import Field, dataclass, field
from enum import Enum
from typing import Any

# Stands for a value that the user has to give. OmegaConf has the same constant, but importing it takes time.
MISSING: Any = "???"


@dataclass(frozen=True)
class Role:
    """What becomes of a key of the configuration after its point has been measured.

    Attributes:
        hashed: whether points that differ in it are different points, so that their configurations have different hashes.
        varies: whether it is shown where it differs between the points of a sweep.
        repeated: whether it is taken over from a record that is run again.
        passed_on: whether a recommendation, and a preset made from it, contains it.
        rerun: whether it can be changed when a record is run again.
    """

    hashed: bool = True
    varies: bool = True
    repeated: bool = True
    passed_on: bool = True
    rerun: bool = True


# What is done, and by which workers.
WORK = Role()
# How much is done.
AMOUNT = Role(passed_on=False)
# How it is measured.
MEASURING = Role(passed_on=False)
# The order of the trials.
ORDER = Role(varies=False, passed_on=False)
# How a sweep compares its points.
SWEEP = Role(hashed=False, varies=False, passed_on=False)
# How the program shares its host with others.
HOST = Role(hashed=False, varies=False, repeated=False, passed_on=False)
# Where runs are recorded.
RECORDING = Role(hashed=False, varies=False, repeated=False, passed_on=False)
# How this run of the program begins.
START = Role(hashed=False, varies=False, repeated=False, passed_on=False, rerun=False)


@dataclass(frozen=True)
class Rule:
    """The values a field accepts, beyond its type.

    ``choices`` lists the only values; ``at_least`` and ``at_most`` are inclusive; ``above`` is exclusive;
    ``matches`` is a regular expression for a text; ``word`` is accepted instead of a number. Numbers that are not finite are never accepted.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    choices: tuple[Any, ...] | None = None
    matches: str | None = None
    word: str | None = None

    def broken_by(self, value: Any) -> bool:
        """Whether ``value`` is outside the rule; ``None`` stands for "not given" and is never outside."""
        if value is None or (self.word is not None and value == self.word):
            return False
        if self.word is not None and isinstance(value, str):
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return True
        if self.matches is not None:
            return re.fullmatch(self.matches, value) is None
        if self.choices is not None:
            return any(part not in self.choices for part in (value if isinstance(value, list) else [value]))
        return (
            (self.at_least is not None and value < self.at_least)
            or (self.at_most is not None and value > self.at_most)
            or (self.above is not None and value <= self.above)
        )

    def phrase(self) -> str:
        """The rule in words, to follow the name of the type; empty where there is no rule."""
        if self.choices is not None:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if self.at_least is not None and self.at_most is not None:
            return f"from {_shown(self.at_least)} to {_shown(self.at_most)}"
        if self.at_least is not None:
            return f"of {_shown(self.at_least)} or more"
        if self.above is not None:
            return f"above {_shown(self.above)}" + ("" if self.at_most is None else f", up to {_shown(self.at_most)}")
        if self.at_most is not None:
            return f"of {_shown(self.at_most)} or less"
        return ""


def _shown(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def option(
    default: Any,
    doc: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    choices: tuple[Any, ...] | None = None,
    matches: str | None = None,
    word: str | None = None,
    role: Role | None = None,
    names_code: bool = False,
    must_exist: str | None = None,
    later: bool = False,
) -> Any:
    """A dataclass field that knows what it means (``doc``), what it accepts and what it is for.

    ``role`` is given for top-level keys; a field below has the same role, unless it has its own. ``names_code`` marks a value that names
    code to be run: it is taken from the user's command line only, never from a record. ``must_exist`` marks a path, and says what is accepted there.
    ``later`` marks a field that came after records had been made: its default leaves the hash of a configuration as it was.
    """
    rule = Rule(at_least=at_least, at_most=at_most, above=above, choices=choices, matches=matches, word=word)
    metadata = {"doc": doc, "rule": rule, "role": role, "names_code": names_code, "must_exist": must_exist, "later": later}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    if isinstance(default, type):  # a key with fields of its own
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def name(value: str) -> Any:
    """The field that holds the option's own name; the only field that a user does not choose."""
    return option(value, "the option's name", choices=(value,))


_TYPE_NAMES = {int: "an integer", float: "a number", str: "a text", bool: "true or false", list: "a list such as [a,b]"}


def accepted(spec: Field[Any], kind: Any) -> str:
    """What a field accepts, in words; ``kind`` is its type."""
    if typing.get_origin(kind) is list:
        kind = list
    kind = next((part for part in typing.get_args(kind) if part is not type(None)), kind)
    rule: Rule = spec.metadata.get("rule", Rule())
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(choice.value) for choice in kind)
    if rule.choices is not None:
        return rule.phrase() + ("; or a list of them" if kind is Any else "")
    phrase = " ".join(filter(None, (_TYPE_NAMES.get(kind, "a value"), rule.phrase())))
    return phrase if rule.word is None else f"{phrase}; or {rule.word}"
