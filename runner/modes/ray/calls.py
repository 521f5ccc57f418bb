"""Calls to actors: what comes of them, and Ray's errors in the words of this program."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from runner.errors import TrialFailed, TrialKilled, first_line
from runner.modes.ray.actor import failure_in
from runner.modes.ray.worker_handle import WorkerHandle


class Calls:
    """Gets the results of calls.

    Attributes:
        died: Ray's errors that mean that a worker has ended.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        errors = ray.exceptions
        self.died = errors.RayActorError, errors.ObjectLostError, errors.NodeDiedError, errors.WorkerCrashedError
        self._full = errors.ObjectStoreFullError, errors.OutOfDiskError

    def result(self, ref: Any, worker: WorkerHandle) -> Any:
        """What came of a call.

        Raises:
            TrialFailed: the worker failed, or Ray did.
            RayError: one of ``died``.
        """
        with self.translated():
            answer = self._ray.get(ref)
        if (failure := failure_in(answer)) is not None:
            raise failure.as_error(worker.number)
        return answer

    def ask(self, workers: Sequence[WorkerHandle], name: str, *arguments: Any) -> list[Any]:
        """The answers of all these workers to one question.

        Raises:
            TrialError: one of them could not answer, or has ended.
        """
        refs = [worker.call(name, *arguments) for worker in workers]
        answers = []
        for worker, ref in zip(workers, refs, strict=True):
            try:
                answers.append(self.result(ref, worker))
            except self.died as error:
                raise TrialKilled(f"worker {worker.number} was killed: {first_line(error)}") from error
        return answers

    def answers_of_living(self, calls: Sequence[tuple[WorkerHandle, Any]]) -> list[Any]:
        """What came of these calls, None from workers that have ended. The next run of items that such a worker gets shows it, too."""
        answers = []
        for worker, ref in calls:
            try:
                answers.append(self.result(ref, worker))
            except self.died:
                answers.append(None)
        return answers

    def first_done(self, refs: Sequence[Any], wait_s: float) -> list[Any]:
        """The first of these calls to be done, when its result is on this host; empty after ``wait_s``."""
        done: list[Any]
        done, _ = self._ray.wait(list(refs), num_returns=1, timeout=wait_s)
        return done

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what Ray raises into an error of this program, unless it means that a worker has ended."""
        try:
            yield
        except self.died:
            raise
        except self._ray.exceptions.RayError as error:
            # One that was raised in a worker comes as another, with its text.
            if isinstance(error, self._full) or any(kind.__name__ in str(error) for kind in self._full):
                raise _store_is_full(error) from error
            raise TrialFailed(f"Ray: {first_line(error)}", kind=type(error).__name__) from error


def _store_is_full(error: Exception) -> TrialFailed:
    advice = "fewer workers, smaller results, mode.returns=digest, or a larger mode.object_store_mb"
    message = f"Ray's memory for objects is full, and what does not fit into it cannot be written to disk: {advice}"
    return TrialFailed(message, kind="ObjectStoreFull", remote_traceback=str(error))
