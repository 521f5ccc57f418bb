"""What fails for a reason that may pass is tried again, after pauses that double."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import TypeVar

from runner.errors import SinkError

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class MayPass(Exception):
    """An attempt failed; another may not.

    Attributes:
        after_s: how long the other side asks to wait; None where it does not.
    """

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


def insist(attempt: Callable[[], T], retries: int) -> tuple[T, int]:
    """What ``attempt`` returns, and how many attempts went wrong before.

    Raises:
        SinkError: the last of ``retries`` + 1 attempts failed, too.
    """
    pause_s = FIRST_PAUSE_S
    for failed in range(retries + 1):
        try:
            return attempt(), failed
        except MayPass as failure:
            if failed == retries:
                times = f", {retries + 1} times" if retries else ""
                raise SinkError(f"{failure}{times}") from failure.__cause__
            sleep(min(LONGEST_PAUSE_S, max(pause_s, failure.after_s or 0.0)))
            pause_s *= 2
    raise AssertionError("unreachable")
