"""What a check of a machine comes to: something found, nothing, or unknown."""

from __future__ import annotations

from typing import Literal

# Its state, what was seen, and what the user can do about it.
Outcome = tuple[Literal["found", "unknown", "fine"], str, str]


def found(message: str, advice: str) -> Outcome:
    """Something that would spoil a measurement, and what can be done."""
    return "found", message, advice


def fine(message: str) -> Outcome:
    """Nothing of that kind."""
    return "fine", message, ""


def unknown(message: str) -> Outcome:
    """What cannot be read here; it is not guessed."""
    return "unknown", message, ""
