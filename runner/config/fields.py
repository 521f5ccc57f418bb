"""A field of an option: its default, what it means, and which values it accepts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """The values a field accepts, beyond its type.

    ``choices`` lists the only values; ``at_least`` and ``at_most`` are inclusive; ``above`` is exclusive;
    ``matches`` is a regular expression for a text. Numbers that are not finite are never accepted.
    """

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    choices: tuple[Any, ...] | None = None
    matches: str | None = None

    def broken_by(self, value: Any) -> bool:
        """Whether ``value`` is outside the rule; ``None`` stands for "not given" and is never outside."""
        if value is None:
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return True
        if self.matches is not None:
            return re.fullmatch(self.matches, value) is None
        if self.choices is not None:
            return value not in self.choices
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
            return f"above {_shown(self.above)}"
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
) -> Any:
    """A dataclass field that knows what it means (``doc``) and what it accepts."""
    rule = Rule(at_least=at_least, at_most=at_most, above=above, choices=choices, matches=matches)
    return field(default=default, metadata={"doc": doc, "rule": rule})


def name(value: str) -> Any:
    """The field that holds the option's own name; the only field that a user does not choose."""
    return option(value, "the option's name", choices=(value,))
