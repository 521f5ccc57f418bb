"""``mode=torch``: PyTorch's ``DataLoader``, whose worker processes run the task and send their results back as tensors in shared memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate

from runner.config.options import Torch
from runner.errors import TrialError, TrialFailed, TrialKilled
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.loader_pass import LoaderPass, Numbers, ended_worker
from runner.modes.workers.loader_work import LoaderWork, batches_in, start_worker
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.named_memory import name_semaphores, remove_named
from runner.modes.workers.start_methods import end_fork_server, preload_fork_server, start_method
from runner.pipeline.stamps import Records

# Ends a process that writes to shared memory for which there is no room; 7 on Linux.
_SIGBUS = 7


@dataclass(frozen=True)
class _Ask:
    """What the loader's sampler gives out: a batch of an epoch; without an epoch, the report of a worker."""

    number: int = 0
    epoch: Epoch | None = None


@dataclass
class _Sampler:
    """The loader asks it anew in each epoch.

    Attributes:
        asks: of the epoch that comes next.
    """

    asks: Sequence[_Ask] = ()

    def __iter__(self) -> Iterator[_Ask]:
        return iter(self.asks)

    def __len__(self) -> int:
        return len(self.asks)


class _Dataset:
    """A map-style dataset: what it is asked for is handled in the worker process that asks.

    Args:
        plan: of the mode.
        trial: the process of the trial.
    """

    def __init__(self, plan: ModePlan, trial: int) -> None:
        self._plan, self._trial = plan, trial
        self._work: LoaderWork
        self._start: Worker | WorkerFailure

    def start(self, _: int) -> None:
        """Called by the loader in each worker before anything else. An exception that leaves it would have no type of its own."""
        try:
            self._work, self._start = start_worker(self._plan, self._trial, _collated)
        except BaseException as error:  # returned to the trial, as this worker's report
            self._start = WorkerFailure.of(error)
        # Nothing is written into a result: it is copied to shared memory.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")

    def __getitem__(self, ask: _Ask) -> Any:
        """A worker's report; or what was handled, and its results, of which the loader makes tensors where it finds them in a tuple or list."""
        if ask.epoch is None or isinstance(self._start, WorkerFailure):
            return self._start
        handled = self._work.batch(ask.number, ask.epoch)
        return handled if isinstance(handled, WorkerFailure) else (replace(handled, arrays=()), handled.arrays)


def _collated(arrays: Sequence[Any]) -> Any:
    """One tensor, made in shared memory, as the loader itself collates a batch."""
    return default_collate([torch.as_tensor(array) for array in arrays])


class TorchMode(Mode):
    """``workers`` processes of a ``DataLoader``. It hands results on in the order of the images, as it does by default."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Torch = plan.mode
        self._method = start_method(self._option.multiprocessing_context)
        self._sampler = _Sampler()
        self._loader: Any = None
        self._processes: list[BaseProcess] = []
        self._numbers = Numbers(plan.workers)
        self.forks = self._method == "fork"
        self.imports_here = self.forks

    def start(self) -> list[Worker]:
        if self._option.pin_memory and not torch.cuda.is_available():
            reason = "mode.pin_memory=true: PyTorch sees no GPU here, and pins nothing without one; accepted: false"
            raise TrialFailed(reason, kind="NothingToPinFor")
        name_semaphores()
        if self._method == "forkserver":
            preload_fork_server(multiprocessing.get_context("forkserver"), tensorflow=self._plan.pipeline.uses_tensorflow)
        dataset = _Dataset(self._plan, os.getpid())
        self._loader = DataLoader(
            dataset,
            batch_size=None,  # what the sampler gives out is a batch already
            sampler=self._sampler,
            num_workers=self._plan.workers,
            prefetch_factor=self._option.prefetch_factor,
            persistent_workers=self._option.persistent_workers,
            multiprocessing_context=self._method,
            pin_memory=self._option.pin_memory,
            worker_init_fn=dataset.start,
        )
        # Work is given to the workers in turn, so that each has one of as many requests as there are workers.
        reports = {report.pid: report for report in self._outcomes([_Ask()] * self._plan.workers)}
        if len(reports) != self._plan.workers:
            raise TrialFailed("a worker of PyTorch's loader did not report", kind="NoReport")
        return list(reports.values())

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        numbers = self._numbers if self._option.persistent_workers else Numbers(self._plan.workers)
        one_pass = LoaderPass(self._plan, epoch, events, numbers)
        asks = [_Ask(number, epoch) for number in range(batches_in(epoch.items, self._option.batch_size))]
        events.released()
        for handled, results in self._outcomes(asks):
            arrays = list(map(_array, results)) if isinstance(results, list) else _array(results)
            one_pass.take(replace(handled, arrays=arrays))
        return one_pass.done()

    def _outcomes(self, asks: Sequence[_Ask]) -> Iterator[Any]:
        """What workers answer, in the order of what they are asked.

        Raises:
            TrialError: a worker has failed or ended.
        """
        self._sampler.asks = asks
        try:
            with _handler_of_sigchld_kept():
                outcomes = iter(self._loader)
            self._processes = multiprocessing.active_children()
            for outcome in outcomes:
                if isinstance(outcome, WorkerFailure):
                    raise outcome.as_error()
                yield outcome
        except (RuntimeError, OSError) as error:
            raise self._ended() or error from error

    def _ended(self) -> TrialError | None:
        """The error for a worker that has ended, where one has."""
        error = ended_worker(self._processes, "PyTorch's DataLoader")
        if any(process.exitcode == -_SIGBUS for process in self._processes if process.exitcode):
            return TrialKilled(f"{error}: shared memory (/dev/shm), which results come back through, may be full")
        return error

    def facts(self) -> dict[str, Any]:
        return {"torch": torch.__version__, "starts_workers_in_each_epoch": not self._option.persistent_workers}

    def stop(self) -> None:
        self._loader = None  # ends its workers and waits for them
        if self._method == "forkserver":
            end_fork_server()

    @staticmethod
    def after_trial(pid: int) -> None:
        """Remove the semaphores of a trial that was killed. PyTorch's own shared memory has no name any more when a result is sent."""
        remove_named(pid)


def _array(result: Any) -> Any:
    """The array of a tensor, which is not copied; what is none, such as an array of texts, is left as it is."""
    return result.numpy() if hasattr(result, "numpy") else result


@contextmanager
def _handler_of_sigchld_kept() -> Iterator[None]:
    """Keep PyTorch from taking over SIGCHLD, where it would raise an exception wherever the trial is just then.

    It looks for workers that have ended by itself, some seconds later.
    """
    if sys.platform == "win32":
        yield
        return
    handler = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler)


PROVIDES = TorchMode
