"""The exit status of the program so far. It is kept here, because Hydra cannot return one from a sweep."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

OK = 0
FAILED = 1
# Of a gate, whose 1 says that new is worse: something failed, so that nothing was decided; and not known within the budget.
BROKEN = 2
NOT_KNOWN = 3
INTERRUPTED = 130

_status = OK


def worsen(status: int) -> None:
    """End the program with ``status``, unless something worse has happened or will happen."""
    global _status  # noqa: PLW0603
    _status = max(_status, status)


def current() -> int:
    """The status with which to exit."""
    return _status


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Begin with a status of its own, for a program that runs something and goes on; the one before comes back."""
    global _status  # noqa: PLW0603
    before, _status = _status, OK
    try:
        yield
    finally:
        _status = before
