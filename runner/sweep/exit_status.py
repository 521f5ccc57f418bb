"""The exit status that the program has earned so far; Hydra keeps no way to return one from a sweep."""

from __future__ import annotations

OK = 0
FAILED = 1
INTERRUPTED = 130

_status = OK


def worsen(status: int) -> None:
    """Something happened that ends the program with ``status``, unless something worse did."""
    global _status  # noqa: PLW0603
    _status = max(_status, status)


def current() -> int:
    """The status to exit with."""
    return _status
