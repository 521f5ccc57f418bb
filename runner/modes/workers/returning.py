"""How the results of worker processes come back to the trial: pickled through the pipe, or by a slot of shared memory."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from runner.config.options import Math, Python, StepsOption
from runner.errors import TrialFailed
from runner.host.connections import Connection
from runner.modes.workers.slots import Slots
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks import Sink
from runner.pipeline.sources.image import Image

# Steps after which a picture is of float32; without any of them it is of bytes.
_COMPUTING = frozenset({"resize", "standardize", "colour"})


@dataclass(frozen=True)
class Returned:
    """The result of an item, pickled."""

    item: int
    array: Any


@dataclass(frozen=True)
class InSlot:
    """The result of an item, in a slot."""

    item: int
    slot: int
    shape: tuple[int, ...]
    dtype: str


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


class ReturningSink:
    """A sink that hands each result to the trial after the sink proper has taken it.

    Args:
        sink: the sink proper.
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
        self._hand_over(self._array(result), item)

    def hand_over(self, result: Any, item: int) -> bytes:
        """Only hand ``result`` to the trial; returns the hash of its bytes."""
        array = self._array(result)
        self._hand_over(array, item)
        return hash_of(array)

    def _hand_over(self, array: Any, item: int) -> None:
        slots = self._slots
        if slots is None or array.nbytes > slots.slot_bytes or array.dtype.hasobject:
            self._outbox.send(Returned(item, array))
        else:
            self._outbox.send(InSlot(item, slots.fill(array), array.shape, array.dtype.str))

    def close(self) -> None:
        self._sink.close()
        if self._slots is not None:
            self._slots.close()


def hash_of(array: Any) -> bytes:
    """Of an array's kind, shape and bytes: equal on both sides where it arrived as it was sent."""
    described = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
    described.update(array.tobytes())
    return described.digest()


def slot_bytes(task: Any, images: Sequence[Image]) -> int:
    """Room for what a task's option, and where nothing is resized the headers of the images, say of a result.

    A result that turns out larger is pickled, which is counted.
    """
    match task:
        case StepsOption():
            resized = task.size**2 if "resize" in task.steps else max(image.width * image.height for image in images)
            size = resized * (task.channels or 4) * (4 if _COMPUTING.intersection(task.steps) else 1)
        case Python():
            size = task.size**2 * 3 * 4
        case Math():
            size = task.size * 8
        case _:
            size = 224 * 224 * 4 * 4
    return max(4096, int(size))


def check_room(needed_bytes: int) -> None:
    """Raise TrialFailed where the system's shared memory is too small: a worker would be killed when it touches what is not there."""
    place = Path("/dev/shm")  # noqa: S108  (where Linux has it)
    if place.is_dir() and (free := shutil.disk_usage(place).free) < needed_bytes:
        raise TrialFailed(
            f"mode.returns=shared_memory takes {needed_bytes / 1e6:.0f} MB, and {place} has {free / 1e6:.0f} MB free; "
            "give it more (docker run --shm-size), or take fewer workers or mode.returns=pickle",
            kind="NoSharedMemory",
        )
