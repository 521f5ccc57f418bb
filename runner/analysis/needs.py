"""What a trial needs of memory, processes, threads and open files, as far as that can be known before it starts.

Memory was measured on two CPUs with TensorFlow 2.21 (MB, pages counted once), for 1, 4 and 8 workers, and the lines held against 6 or 15: six
spawned workers 2 669 where 2 675 were expected, fifteen forked ones 743 of 738. Files and threads are what there is at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.config.options import BatchesOption, Config, Loky, ProcessOption, Returns, StartMethod
from runner.host.processes import AUTOMATIC_START_METHOD

# Megabytes of a trial without its workers, and of each worker process, by the way in which these come to be: with TensorFlow, and without. A
# fork server of the trial's own imports TensorFlow once more.
_MEMORY_MB = {
    "": {True: (363, 4), False: (50, 4)},
    "fork": {True: (363, 25), False: (50, 6)},
    "forkserver": {True: (1071, 26), False: (87, 14)},
    "spawn": {True: (760, 318), False: (56, 29)},
    "loky": {True: (782, 318), False: (81, 36)},
}

# Of a picture while it is decoded: three channels, and what the decoder keeps beside them.
_BYTES_A_PIXEL = 4

# Threads of a trial itself: its own, one that waits for the conductor's end, one of the monitor's.
_TASKS = 3

# Open files of a trial apart from those for its workers, and for each worker process.
_FILES, _FILES_A_PROCESS, _FILES_A_TURN = 16, 2, 2


class Picture(Protocol):
    """The size of an image."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


@dataclass(frozen=True)
class Planned:
    """A trial that is to be run: its configuration, its different images, how many CPUs it may use."""

    config: Config
    images: Sequence[Picture]
    cpus: float


@dataclass(frozen=True)
class Needs:
    """The needs of one trial.

    Attributes:
        workers: how many processes, or how many threads where there are no worker processes.
        kind: of the workers, in words: ``process`` or ``thread``.
        start_method: by which worker processes come to be; empty where there are none.
        memory_base_bytes, memory_worker_bytes: without workers, and of each.
        tasks: processes and threads.
        files: open in one process.
    """

    workers: int
    kind: str
    start_method: str
    memory_base_bytes: int
    memory_worker_bytes: int
    tasks: int
    files: int

    @property
    def memory_bytes(self) -> int:
        """With all workers."""
        return self.memory_base_bytes + self.workers * self.memory_worker_bytes

    def fitting(self, memory_bytes: int) -> int:
        """How many workers fit into so much memory."""
        return max(0, (memory_bytes - self.memory_base_bytes) // self.memory_worker_bytes)


def needs_of(trial: Planned, start_method: str | None = None) -> Needs:
    """The needs of a trial; ``start_method`` is another than the configuration's."""
    config = trial.config
    mode, tensorflow = config.mode, config.uses_tensorflow
    processes, threads = mode.processes(config.workers), mode.threads(config.workers)
    method = "" if not processes else start_method or _start_method(config)
    base_mb, each_mb = _MEMORY_MB[method][tensorflow]
    base_mb += mode.library_mb[0]
    each_mb += 0 if method == "fork" else mode.library_mb[1]
    pixels = max((image.width * image.height for image in trial.images), default=0)
    at_once = min(threads, config.epoch_images)  # no more pictures are in memory than are handled
    workers = processes or mode.effective_workers(config.workers)
    picture_bytes = pixels * _BYTES_A_PIXEL * at_once // max(1, workers)
    own_threads = sum(number or int(trial.cpus) for number in mode.tensorflow_threads(config.tf)) if tensorflow else 0
    fed = isinstance(config.consumer, BatchesOption)
    slots = isinstance(mode, ProcessOption) and (mode.returns is Returns.shared_memory or fed)
    return Needs(
        workers=workers,
        kind="process" if processes else "thread",
        start_method=method,
        memory_base_bytes=base_mb * 1_000_000 + _batches_bytes(trial),
        memory_worker_bytes=each_mb * 1_000_000 + picture_bytes,
        tasks=_TASKS + threads + (processes * (1 + own_threads) if processes else own_threads),
        files=_FILES + processes * (_FILES_A_PROCESS + slots + (_FILES_A_TURN if fed else 0)),
    )


def _batches_bytes(trial: Planned) -> int:
    """The memory of a consumer's batches: those that wait, the one that it is busy with, and as much on its way."""
    consumer = trial.config.consumer
    if not isinstance(consumer, BatchesOption) or not trial.images:
        return 0
    return (consumer.queue + 2) * consumer.batch * trial.config.task.result_bytes(trial.images)


def _start_method(config: Config) -> str:
    if isinstance(config.mode, Loky):
        return "loky"
    chosen = getattr(config.mode, "start_method", StartMethod.spawn)
    return AUTOMATIC_START_METHOD if chosen is StartMethod.auto else str(chosen.value)
