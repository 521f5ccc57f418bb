"""A warning, as the record has it."""

from __future__ import annotations

from dataclasses import dataclass

from runner.record.point_schema import WarningRecord


@dataclass(frozen=True)
class ResultWarning:
    """One thing to know.

    Attributes:
        kind: a word to look for.
        message: what was seen.
        advice: what to do about it.
    """

    kind: str
    message: str
    advice: str

    def record(self) -> WarningRecord:
        """As ``result.json`` and ``sweep.json`` have it."""
        return {"kind": self.kind, "message": self.message, "advice": self.advice}
