"""A warning, as the record has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Warning:  # noqa: A001  (the name that the record uses)
    """One thing to know.

    Attributes:
        kind: a word to look for; one of the functions' names below.
        message: what was seen.
        advice: what to do about it.
    """

    kind: str
    message: str
    advice: str

    def record(self) -> dict[str, str]:
        """As ``result.json`` and ``sweep.json`` have it."""
        return {"kind": self.kind, "message": self.message, "advice": self.advice}
