"""The modes that are loaders of other libraries: PyTorch's DataLoader, Keras's PyDataset, Grain, SPDL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from runner.config.fields import name, option
from runner.config.options.base import Choices
from runner.config.options.modes import ModeOption, StartMethod, refuse_unknown_start_method
from runner.errors import ConfigurationError


@dataclass
class Torch(ModeOption):
    needs: ClassVar[tuple[str, str] | None] = ("torch", "PyTorch")
    library_mb: ClassVar[tuple[int, int]] = (195, 131)
    imports_library: ClassVar[bool] = True

    name: str = name("torch")
    batch_size: int | None = option(
        None, "how many results a worker puts into one tensor; null hands them out one by one", at_least=1
    )
    prefetch_factor: int = option(2, "how many batches, or single results, each worker has ahead", at_least=1)
    persistent_workers: bool = option(True, "whether workers stay from epoch to epoch; PyTorch's own default is false")
    multiprocessing_context: StartMethod = option(StartMethod.auto, "how a worker process comes to be")
    pin_memory: bool = option(False, "whether results are copied to pinned memory, for a GPU")

    def check(self, choices: Choices) -> None:
        super().check(choices)
        refuse_unknown_start_method("mode.multiprocessing_context", self.multiprocessing_context)
        forked_later = not self.persistent_workers and self.start_method is StartMethod.fork
        if forked_later and choices.task.uses_tensorflow and choices.consumer.uses_tensorflow:
            reason = (
                "would fork workers in each epoch from a process in which the consumer runs TensorFlow: its ops hang in them"
            )
            raise ConfigurationError("mode.persistent_workers", "false", reason, "true; or mode.multiprocessing_context=spawn")

    @property
    def start_method(self) -> StartMethod:
        """How a worker process comes to be, on this system."""
        from runner.host.processes import AUTOMATIC_START_METHOD

        chosen = self.multiprocessing_context
        return StartMethod(AUTOMATIC_START_METHOD) if chosen is StartMethod.auto else chosen

    def processes(self, workers: int) -> int:
        return workers


@dataclass
class Keras(ModeOption):
    imports_library: ClassVar[bool] = True

    name: str = name("keras")
    batch_size: int | None = option(None, "how many results are put into one array; null hands them out one by one", at_least=1)
    use_multiprocessing: bool = option(
        False, "whether workers are processes of a pool, started in each epoch; false has threads"
    )
    max_queue_size: int = option(10, "how many batches, or single results, are asked for ahead", at_least=1)
    start_method: StartMethod = option(StartMethod.auto, "how a worker process comes to be")

    def check(self, choices: Choices) -> None:
        refuse_unknown_start_method("mode.start_method", self.start_method)

    @property
    def uses_tensorflow(self) -> bool:
        return True

    def processes(self, workers: int) -> int:
        return workers if self.use_multiprocessing else 0


class RunIn(Enum):
    """What the workers of a loader are, where it has both."""

    threads = "threads"  # of the trial
    processes = "processes"


@dataclass
class Grain(ModeOption):
    needs: ClassVar[tuple[str, str] | None] = ("grain", "Grain")
    library_mb: ClassVar[tuple[int, int]] = (12, 11)
    imports_library: ClassVar[bool] = True

    name: str = name("grain")
    run_in: RunIn = option(RunIn.threads, "threads of one process (ReadOptions), or processes (mp_prefetch)")
    batch_size: int | None = option(None, "how many results are put into one array; null hands them out one by one", at_least=1)
    prefetch_buffer_size: int = option(500, "how many batches, or single results, threads have ahead, all together", at_least=1)
    per_worker_buffer_size: int = option(1, "how many batches, or single results, each process has ahead", at_least=1)

    def processes(self, workers: int) -> int:
        return workers if self.run_in is RunIn.processes else 0


@dataclass
class Spdl(ModeOption):
    needs: ClassVar[tuple[str, str] | None] = ("spdl", "SPDL")
    imports_library: ClassVar[bool] = True

    name: str = name("spdl")
    run_in: RunIn = option(RunIn.threads, "threads of the pipeline, or processes of an executor")
    batch_size: int | None = option(None, "how many results are put into one array; null hands them out one by one", at_least=1)
    buffer_size: int = option(3, "how many batches, or single results, lie ready", at_least=1)
    start_method: StartMethod = option(StartMethod.auto, "how a worker process comes to be")

    def check(self, choices: Choices) -> None:
        super().check(choices)
        refuse_unknown_start_method("mode.start_method", self.start_method)

    def processes(self, workers: int) -> int:
        return workers if self.run_in is RunIn.processes else 0
