"""When an image is tried again, after how long, and what is said when it could not be had."""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterator

from runner.errors import ImageNotFetched
from runner.secrets import masked

# The pause before the n-th retry is FIRST_PAUSE_S times 2^(n-1), at most LONGEST_PAUSE_S, cut to between half and all of it by chance, so
# that workers that failed together do not come back together.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

# Statuses between 400 and 499 that may be others a moment later: request timeout, too many requests.
_PASSING = (408, 429)


class AnswerError(OSError):
    """A server answered, but not with the image; ``status`` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status} {reason}".rstrip())
        self.status = status


class TooLargeError(OSError):
    """The image is larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"it is larger than source.max_bytes={limit}")


class Attempts:
    """The attempts at one image: ``pause_s`` after each failure, until it raises.

    Args:
        url: of the image.
        retries: how many attempts there may be after the first.
        timeout_s: what one attempt had, in seconds, for the message.
    """

    def __init__(self, url: str, retries: int, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._pauses = _pauses(retries)
        self._made = 0

    def pause_s(self, error: Exception) -> float:
        """How long to wait after ``error`` before the next attempt.

        Raises:
            ImageNotFetched: there is none.
        """
        self._made += 1
        pause_s = None if is_final(error) else next(self._pauses, None)
        if pause_s is None:
            often = "1 attempt" if self._made == 1 else f"{self._made} attempts"
            raise ImageNotFetched(f"{self._reason(error)}, after {often}: {masked(self._url)}") from error
        return pause_s

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no whole answer within {self._timeout_s:g} s"
        if isinstance(error, http.client.IncompleteRead):
            rest = f" of {len(error.partial) + error.expected}" if error.expected else ""
            return f"the answer broke off after {len(error.partial)}{rest} bytes"
        if isinstance(error, AnswerError | TooLargeError):
            return str(error)
        if (status := status_of(error)) is not None:
            return f"HTTP {status}, {_said(error)}"
        return _said(error)


def is_final(error: BaseException) -> bool:
    """Whether another attempt would end the same way."""
    if (status := status_of(error)) is not None:
        return 400 <= status < 500 and status not in _PASSING
    return isinstance(error, TooLargeError | FileNotFoundError | PermissionError | IsADirectoryError | ValueError | TypeError)


def status_of(error: BaseException | None) -> int | None:
    """HTTP's status in an error or in what caused it, as aiohttp and botocore have it."""
    while error is not None:
        found = getattr(error, "status", None)
        if found is None and isinstance(response := getattr(error, "response", None), dict):
            found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(found, int):
            return found
        error = error.__cause__
    return None


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {masked(lines[0])}" if lines else type(error).__name__


def _pauses(retries: int) -> Iterator[float]:
    for number in range(retries):
        yield min(FIRST_PAUSE_S * 2**number, LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311  (a pause is no secret)
