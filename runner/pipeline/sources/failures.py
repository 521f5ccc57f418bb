"""Why an image could not be fetched: which failures another attempt may mend, and what is said of the last one."""

from __future__ import annotations

import http.client

from runner.errors import ImageNotFetched, type_and_first_line
from runner.pipeline.retry import Attempts
from runner.secrets import masked

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


def pause_after(error: Exception, attempts: Attempts, url: str, timeout_s: float) -> float:
    """How many seconds to wait before the next attempt at ``url``, after one that had ``timeout_s`` and failed with ``error``.

    Raises:
        ImageNotFetched: no attempt is left, or another would end the same way.
    """
    pause_s = attempts.pause_s()
    if pause_s is None or is_final(error):
        count = "1 attempt" if attempts.failed == 1 else f"{attempts.failed} attempts"
        raise ImageNotFetched(f"{_reason(error, timeout_s)}, after {count}: {masked(url)}") from error
    return pause_s


def is_final(error: BaseException) -> bool:
    """Whether another attempt would end the same way."""
    if (status := status_of(error)) is not None:
        return 400 <= status < 500 and status not in _PASSING
    return isinstance(error, TooLargeError | FileNotFoundError | PermissionError | IsADirectoryError | ValueError | TypeError)


def status_of(error: BaseException | None) -> int | None:
    """HTTP's status in an error or in what caused it, as aiohttp and botocore have it; None where there is none."""
    while error is not None:
        status = getattr(error, "status", None)
        if status is None and isinstance(response := getattr(error, "response", None), dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no whole answer within {timeout_s:g} s"
    if isinstance(error, http.client.IncompleteRead):
        rest = f" of {len(error.partial) + error.expected}" if error.expected else ""
        return f"the answer broke off after {len(error.partial)}{rest} bytes"
    if isinstance(error, AnswerError | TooLargeError):
        return str(error)
    line = masked(type_and_first_line(error))
    return line if (status := status_of(error)) is None else f"HTTP {status}, {line}"
