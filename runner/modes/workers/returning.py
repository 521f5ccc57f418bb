"""How the results of worker processes come back to the trial: pickled through the pipe, or in a slot of shared memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from runner.config.options import TaskOption
from runner.errors import TrialFailed
from runner.host.connections import Connection
from runner.modes.workers.messages import InSlot, Missed, Returned
from runner.modes.workers.shared_memory import Slots
from runner.pipeline.arrays import array_digest
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks import Sink
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records


class Sender(Protocol):
    """Takes results of a worker for the trial."""

    def send(self, message: Any) -> None:
        """Take one."""


class Outbox:
    """A worker's end of the pipe, for all its threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        with self._lock:
            self._connection.send(message)


class Kept:
    """Keeps the results of a run of items until that is done, where results come back together."""

    def __init__(self) -> None:
        self._kept: list[Returned] = []

    def send(self, message: Any) -> None:
        """Keep a result. What failed is in the records, which come back too."""
        if isinstance(message, Returned):
            self._kept.append(message)

    def taken(self) -> list[Returned]:
        """What has been kept, which is here no more."""
        kept, self._kept = self._kept, []
        return kept


class ReturningSink:
    """A sink that gives each result to the trial after another sink has taken it.

    Args:
        sink: the other sink, which was chosen in the configuration.
        array: from a task's result to a NumPy array.
        outbox: to the trial.
        slots: of this worker; None where results are pickled.
    """

    def __init__(self, sink: Sink, array: Callable[[Any], Any], outbox: Sender, slots: Slots | None) -> None:
        self._sink, self._array, self._outbox, self._slots = sink, array, outbox, slots

    def begin(self, epoch: int) -> None:
        self._sink.begin(epoch)

    def end(self) -> Receipt:
        return self._sink.end()

    def put(self, result: Any, item: int) -> None:
        self._sink.put(result, item)
        self._send(self._array(result), item)

    def missed(self, item: int) -> None:
        """Tell the trial that ``item`` has no result."""
        self._outbox.send(Missed(item))

    def hand_over(self, result: Any, item: int) -> bytes:
        """Only give ``result`` to the trial; returns the hash of its bytes."""
        array = self._array(result)
        self._send(array, item)
        return array_digest(array)

    def _send(self, array: Any, item: int) -> None:
        slots = self._slots
        if slots is None or array.nbytes > slots.slot_bytes or array.dtype.hasobject:
            self._outbox.send(Returned(item, array))
        else:
            self._outbox.send(InSlot(item, slots.fill(array), array.shape, array.dtype.str))

    def close(self) -> None:
        self._sink.close()
        if self._slots is not None:
            self._slots.close()


class ReturnCheck:
    """In the trial: counts the results of one pass that came back, and compares those of a verification with what was sent."""

    def __init__(self, *, verify: bool) -> None:
        self._verify = verify
        self._bytes = 0
        self._hashes: dict[int, bytes] = {}

    def add(self, item: int, array: Any) -> None:
        """Take a result as a consumer would."""
        self._bytes += array.nbytes
        if self._verify:
            self._hashes[item] = array_digest(array)

    def complete(self, records: Records) -> Records:
        """``records`` of the pass, with ``returned_bytes``.

        Raises:
            TrialFailed: a result of a verification is not what its worker sent.
        """
        records.returned_bytes = self._bytes
        if self._hashes != records.handed_over:
            raise TrialFailed("results came back from the workers other than they were sent", kind="ReturnPath")
        return records


class ReturnPath:
    """In the trial: takes results from the messages of workers.

    Args:
        slots: of each worker; empty where results are pickled.

    Attributes:
        counts: how many results came back by which path since the start, warm-up and verification included.
    """

    def __init__(self, slots: Sequence[Slots] = ()) -> None:
        self._slots = slots
        self.counts = dict.fromkeys(("pickle", "shared_memory"), 0)

    @contextmanager
    def result(self, worker: int, message: Returned | InSlot) -> Iterator[Any]:
        """The array that came back. One from a slot is a view, good as long as the context lasts."""
        if isinstance(message, Returned):
            self.counts["pickle"] += 1
            yield message.array
            return
        self.counts["shared_memory"] += 1
        slots = self._slots[worker]
        yield slots.view(message.slot, message.shape, message.dtype)
        slots.release(message.slot)

    def close(self) -> None:
        """Let go of the slots."""
        for slots in self._slots:
            slots.close()


def slot_bytes(task: TaskOption, images: Sequence[Image]) -> int:
    """Room for what a task's option, and where nothing is resized the headers of the images, say of a result.

    A result that turns out larger is pickled, and counted as such.
    """
    return max(4096, int(task.result_bytes(images)))
