"""A task that goes wrong on purpose: stands in for the user's own code, in the same place as any task."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.sources import Image


@dataclass(frozen=True)
class Fault:
    """What happens: at ``build``, or when an image whose name contains ``on`` is run."""

    does: str = "nothing"
    on: str = ""
    cpu_s: float = 0.0


class FaultyTask:
    def __init__(self, config: Fault, images: Sequence[Image]) -> None:
        self._fault = config
        if config.does == "raise_at_build":
            raise RuntimeError("the task cannot be built")

    def read(self, image: Image) -> bytes:
        return Path(image.path).read_bytes()

    def run(self, data: bytes, image: Image) -> bytes:
        fault = self._fault
        if fault.on in image.name:
            match fault.does:
                case "raise":
                    raise ValueError("this image is not to my taste")
                case "exit":
                    os._exit(7)
                case "segfault":
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "hang":
                    time.sleep(3600)
                case "burn":
                    until = time.thread_time() + fault.cpu_s
                    while time.thread_time() < until:
                        pass
        return data

    def digest(self, result: bytes) -> bytes:
        return result[:16]


PROVIDES = FaultyTask
