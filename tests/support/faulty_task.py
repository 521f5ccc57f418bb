"""A task that goes wrong on purpose: stands in for the user's own code, in the same place as any task."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runner.config.fields import MISSING
from runner.config.options import TaskOption
from runner.pipeline.sources import Image

_MUCH = bytes(1_000_000)

# Of results that are larger than the option says, in bytes.
_SIZES = {"huge": 4_000_000, "colossal": 12_000_000}


@dataclass
class Fault(TaskOption):
    """What happens: at ``build``, or when an image whose name contains ``on`` is run."""

    name: str = field(default=MISSING, init=False)
    does: str = "nothing"
    on: str = ""
    cpu_s: float = 0.0
    uses_tensorflow: bool = False


def _raise(_: float) -> None:
    raise ValueError("this image is not to my taste")


def _burn(cpu_s: float) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        pass


def _hash(cpu_s: float) -> None:
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        hashlib.sha256(_MUCH).digest()  # lets go of the interpreter lock meanwhile


def _fork_and_burn(cpu_s: float) -> None:
    child = f"import time\nwhile time.process_time() < {cpu_s}: pass"
    subprocess.run([sys.executable, "-S", "-c", child], check=True)


_kept: list[bytes] = []


def _grow(_: float) -> None:
    """Keep 350 MB, as a decoder may after a large image; loky looks at once, and not only once a second."""
    from joblib.externals.loky import process_executor

    process_executor._MEMORY_LEAK_CHECK_DELAY = 0.0
    if not _kept:
        _kept.append(b"x" * 350_000_000)


_DEEDS: dict[str, Callable[[float], object]] = {
    "raise": _raise,
    "exit": lambda _: os._exit(7),
    "segfault": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": lambda _: time.sleep(3600),
    "burn": _burn,
    "hash": _hash,
    "fork_and_burn": _fork_and_burn,
    "grow": _grow,
}


class Lying(np.ndarray):
    """Arrives as something else than was sent."""

    def __reduce__(self) -> Any:
        return np.zeros, (8, np.uint8)


class FaultyTask:
    def __init__(self, config: Fault, images: Sequence[Image]) -> None:
        self._fault = config
        if config.does == "raise_at_build":
            raise RuntimeError("the task cannot be built")
        if config.does == "raise_in_graph":
            self.graph = self._no_graph

    def _no_graph(self, data: object, index: object) -> object:
        raise RuntimeError("there is no graph of this")

    def run(self, data: bytes, image: Image) -> bytes:
        if self._fault.on in image.name and self._fault.does in _DEEDS:
            _DEEDS[self._fault.does](self._fault.cpu_s)
        return data

    def array(self, result: bytes) -> object:
        if self._fault.does == "lie":
            return np.ones(8, np.uint8).view(Lying)
        if self._fault.does in _SIZES:
            return np.ones(_SIZES[self._fault.does], np.uint8)
        return np.frombuffer(result, np.uint8)

    def digest(self, result: bytes) -> bytes:
        return result[:16]


PROVIDES = FaultyTask
