"""What a value of a record may be beyond its type, for ``Annotated``: names are names, ids are ids, folders lie below the sweep's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

# Texts that a terminal or a log would obey, and halves of characters, which cannot be written.
_OBEYED = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_PART = rf"(?!\.\.?(/|$))[^/\\{_OBEYED}]+"

# The name of a folder that lies below another.
FOLDER = rf"{_PART}(/{_PART})*"

_NAMES = {int: "integer", dict: "object"}

# No number of a record is as large as this: it is more than the bytes of any disk.
LARGEST = 2**63


@dataclass(frozen=True)
class Limits:
    """The limits of one value.

    Attributes:
        what: that a value is not within them, in words: ``is no name``.
        pattern: of a text.
        kind: its type, where the annotated type leaves it open.
        at_least, at_most: of a number.
    """

    what: str
    pattern: str | None = None
    kind: type | None = None
    at_least: float | None = None
    at_most: float | None = None

    def keeps(self, value: Any) -> bool:
        """Whether a value of the right type is within them."""
        if self.kind is not None and type(value) is not self.kind:
            return False
        if isinstance(value, str):
            return self.pattern is None or re.fullmatch(self.pattern, value) is not None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def schema(self) -> dict[str, Any]:
        """As JSON Schema has them."""
        limits = {
            "type": self.kind and _NAMES[self.kind],
            "pattern": self.pattern and f"^{self.pattern}$",
            "minimum": self.at_least,
            "maximum": self.at_most,
        }
        return {key: value for key, value in limits.items() if value is not None}


@dataclass(frozen=True)
class Having:
    """Keys that an object has, whatever else is in it.

    Attributes:
        keys: with the type of each.
        what: that a value is no object, in words; by default as of any other object.
    """

    keys: Mapping[str, Any]
    what: str | None = None

    def __hash__(self) -> int:
        return hash(tuple(self.keys))


Name = Annotated[str, Limits("is no name of one line", rf"[^{_OBEYED}]{{1,4096}}")]
Id = Annotated[str, Limits("is no id", r"[0-9A-Za-z_-]{1,64}")]
Folder = Annotated[str, Limits("is no folder below this one", FOLDER)]
UnixTime = Annotated[float, Limits("is no time", at_least=0, at_most=1e11)]
Seconds = Annotated[float, Limits("is no duration", at_least=0, at_most=1e11)]
Count = Annotated[int, Limits("is no count", at_least=0, at_most=LARGEST)]
Positive = Annotated[float, Limits("is not above 0", at_least=1e-12, at_most=1e18)]
