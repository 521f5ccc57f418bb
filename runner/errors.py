"""Every error this program raises on purpose.

RunnerError
├── ConfigurationError        a choice that cannot be run; shown to the user before any process starts
├── ImageError                one image could not be handled; the epoch goes on
│   ├── ImageRefused          its header claims more pixels than anyone would want allocated
│   ├── ImageReplaced         its bytes are not those that were inspected before the first trial
│   ├── ImageNotFetched       its bytes could not be had from its address, however often it was tried
│   └── SinkError             its result could not be delivered
├── TrialError                a trial did not finish; carries the status of the record
│   ├── TrialFailed           an exception in the trial or in a worker, or an exit without a report   "failed"
│   │   └── TrialSilent       the latter: nothing but the exit status is known                        "failed"
│   ├── TrialKilled           the trial or a worker was ended by a signal                              "killed"
│   └── TrialTimeout          the deadline passed                                                      "timeout"
├── StorageError              a file of a record could not be written, such as on a full disk
├── ConductorGone             inside a trial: the process that asked for it is no more
└── TrackingError             MLflow could not be reached or written
"""

from __future__ import annotations

import errno
import signal
from pathlib import Path
from typing import Literal, TypedDict

# What the system's words for a disk that cannot be written mean.
_STORAGE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the user's quota on this disk is used up",
    errno.EFBIG: "it would be larger than files may be here (ulimit -f)",
    errno.EROFS: "the disk is read-only",
}

FailedStatus = Literal["failed", "killed", "timeout"]


class ErrorRecord(TypedDict):
    """An error as records have it; ``traceback`` is None where none came back."""

    type: str
    message: str
    traceback: str | None


class RunnerError(Exception):
    """The root of this program's errors."""


class ConfigurationError(RunnerError):
    """A choice that cannot be run.

    Attributes:
        key: the full name of the configuration key, such as ``mode.threads_per_worker``.
        given: what was given, as the user wrote it.
        accepted: what would have been accepted, as a phrase.
    """

    def __init__(self, key: str, given: object, reason: str, accepted: str) -> None:
        self.key = key
        self.given = given
        self.reason = reason
        self.accepted = accepted
        shown = key if given is None else f"{key}={given}"
        super().__init__(f"{shown}: {reason}\n  accepted: {accepted}")

    def __reduce__(self) -> tuple[type[ConfigurationError], tuple[str, object, str, str]]:
        """How a job of a sweep passes the error to the program that waits for it."""
        return type(self), (self.key, self.given, self.reason, self.accepted)


class ImageError(RunnerError):
    """One image could not be handled."""


class ImageRefused(ImageError):
    """An image whose header claims more pixels than are allowed; nothing of it was decoded."""


class ImageReplaced(ImageError):
    """An image whose bytes are not those that were inspected before the first trial."""


class ImageNotFetched(ImageError):
    """The bytes of an image could not be had from its address, however often it was tried."""


class SinkError(ImageError):
    """The result of an image could not be delivered; no password and no query of an address is in the message."""


class TrialError(RunnerError):
    """A trial that did not finish.

    Attributes:
        status: the trial's status in the record.
        kind: the name of the error as the record shows it, the remote exception's where there is one.
        remote_traceback: the traceback from the process in which it happened, if one came back.
    """

    status: FailedStatus = "failed"

    def __init__(self, message: str, *, kind: str | None = None, remote_traceback: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind or type(self).__name__
        self.remote_traceback = remote_traceback

    def record(self) -> ErrorRecord:
        """As ``result.json`` has it."""
        return {"type": self.kind, "message": str(self), "traceback": self.remote_traceback}


class TrialFailed(TrialError):
    """An exception in the trial or in a worker, or an exit without a report."""


class TrialSilent(TrialFailed):
    """The trial, or a worker, ended by itself and said nothing."""


class TrialKilled(TrialError):
    """The trial, or a worker, was ended by a signal."""

    status: FailedStatus = "killed"


class TrialTimeout(TrialError):
    """The deadline of the trial passed."""

    status: FailedStatus = "timeout"


class StorageError(RunnerError):
    """A file of a record could not be written; what was there before is there still.

    Attributes:
        path: of the file.
        reason: in words.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        self.reason = _STORAGE.get(error.errno or 0) or error.strerror or str(error)
        self._error = error
        super().__init__(f"{path}: cannot be written: {self.reason}")

    @classmethod
    def of(cls, error: OSError) -> StorageError | None:
        """The same of an error of a library's, if it says that a disk cannot be written."""
        return cls(Path(str(error.filename or "a file")), error) if error.errno in _STORAGE else None

    def __reduce__(self) -> tuple[type[StorageError], tuple[Path, OSError]]:
        """How it comes out of another process."""
        return type(self), (self.path, self._error)


class ConductorGone(RunnerError):
    """Inside a trial: the program that started it has ended."""


class TrackingError(RunnerError):
    """MLflow could not be reached or written; the results on disk are not touched by it."""


def ended_by(process: str, exitcode: int | None) -> TrialError:
    """The error for a process that ended without a report, by how it ended.

    ``exitcode`` is as in ``multiprocessing.Process.exitcode``: negative for a signal.
    """
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        return TrialKilled(f"{process} was killed by {name}")
    return TrialSilent(f"{process} exited with status {exitcode} without a report")


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


def type_and_first_line(error: BaseException) -> str:
    """As ``ValueError: the first line``; the type's name alone where the error says nothing."""
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"
