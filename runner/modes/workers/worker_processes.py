"""The worker processes of a trial, as the trial sees them: started, sent messages, listened to, joined."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from runner.errors import ConductorGone, TrialError, TrialFailed, ended_by
from runner.host.connections import Connection
from runner.modes.workers.messages import InSlot, Missed, RecordsPart, Returned, WorkerFailure, WorkerPlan
from runner.modes.workers.process_main import serve
from runner.modes.workers.turn import Waiting

# What multiprocessing has for an exit status that the fork server did not live to tell.
_UNKNOWN = 255


class WorkerProcesses:
    """Workers are numbered from 0 in the order in which they were started."""

    def __init__(self, context: BaseContext) -> None:
        self._context = context
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []

    def start(self, plan: WorkerPlan) -> None:
        """Start one more.

        Raises:
            TrialFailed: the server that forks workers has ended.
        """
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, plan), name=f"worker-{plan.index}")  # type: ignore[attr-defined]
        try:
            process.start()
        except (EOFError, ConnectionError) as error:
            raise _fork_server_ended() from error
        theirs.close()
        self._processes.append(process)
        self._connections.append(ours)

    def pid(self, index: int) -> int:
        return self._processes[index].pid or 0

    def send(self, message: Any) -> None:
        """Send every worker the same.

        Raises:
            TrialError: a worker has ended.
        """
        data = pickle.dumps(message)
        for index, connection in enumerate(self._connections):
            try:
                connection.send_bytes(data)
            except OSError:
                raise self._ended(index) from None

    def messages(self, *kinds: type[Any]) -> Iterator[tuple[int, Any]]:
        """Worker and message, as messages of these ``kinds`` come, until each worker has sent its last.

        Raises:
            TrialError: a worker has ended or failed, or has sent something else.
            ConductorGone: the process that asked for this trial has ended.
        """
        waiting = set(range(len(self._connections)))
        of_connection: dict[Any, int] = {connection: index for index, connection in enumerate(self._connections)}
        parent = multiprocessing.parent_process()
        sentinels = [*(process.sentinel for process in self._processes), *([parent.sentinel] if parent else [])]
        while waiting:
            events = wait([*(self._connections[index] for index in waiting), *sentinels])
            for index in [of_connection[event] for event in events if event in of_connection]:
                message = self._receive(index, kinds)
                if _is_last(message):
                    waiting.discard(index)
                yield index, message
            if ended := [event for event in events if event not in of_connection]:
                self._check_alive(ended, waiting)

    def join(self) -> None:
        """Return when every worker has ended."""
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.join()
            connection.close()

    def _receive(self, index: int, kinds: tuple[type[Any], ...]) -> Any:
        try:
            message = self._connections[index].recv()
        except (EOFError, OSError):
            raise self._ended(index) from None
        if isinstance(message, WorkerFailure):
            raise message.as_error(index)
        if not isinstance(message, kinds):
            raise TrialFailed(f"worker {index} sent {type(message).__name__}, not {kinds[0].__name__}")
        return message

    def _check_alive(self, ended: list[Any], waiting: set[int]) -> None:
        """Raise where one of the sentinels in ``ended`` is a worker's or the conductor's.

        A worker that still owes a message is heard first: its closed pipe says that it has ended. Where the fork server
        has ended, workers live on, and how they end is not known.
        """
        for index, process in enumerate(self._processes):
            if process.sentinel in ended:
                if self._lost(process):
                    raise _fork_server_ended()
                if index not in waiting:
                    raise self._ended(index)
        parent = multiprocessing.parent_process()
        if parent is not None and parent.sentinel in ended:
            raise ConductorGone("the conductor is gone")

    def _ended(self, index: int) -> TrialError:
        process = self._processes[index]
        process.join(1.0)  # its pipe is closed: it is at its end, and the exit code a moment away
        if self._lost(process):
            return _fork_server_ended()
        return ended_by(f"worker {index} (pid {process.pid})", process.exitcode)

    def _lost(self, process: BaseProcess) -> bool:
        """Whether the fork server ended before it told how the worker did, which may live on."""
        return self._context.get_start_method() == "forkserver" and process.exitcode == _UNKNOWN


def _fork_server_ended() -> TrialFailed:
    return TrialFailed("the fork server of the workers was ended, and the trial with it", kind="ForkServerEnded")


def _is_last(message: Any) -> bool:
    """Whether a worker sends no more after this: results and parts of records may be followed by others."""
    if isinstance(message, RecordsPart):
        return message.last
    return not isinstance(message, Returned | InSlot | Missed | Waiting)
