"""NVIDIA GPUs by NVML. What cannot be asked is None, never 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class GpuSample:
    """One device at one moment: share of the last interval in which a kernel ran, and memory in use."""

    utilization_pct: float | None
    memory_bytes: int | None


class Gpus:
    """The GPUs of this machine.

    Attributes:
        names: of the devices; empty where there is none.
        absent: why there is none, in a few words; empty where there is one.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.absent = ""
        self._handles: list[Any] = []
        try:
            import pynvml
        except ImportError:
            self.absent = "nvidia-ml-py is not installed"
            return
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
            self.names = [_text(pynvml.nvmlDeviceGetName(handle)) for handle in self._handles]
        except pynvml.NVMLError as error:
            self._handles = []
            self.names = []
            self.absent = f"no NVIDIA driver ({_text(error)})"
        if not self._handles and not self.absent:
            self.absent = "no NVIDIA GPU"

    def sample(self) -> list[GpuSample]:
        """One sample a device."""
        return [
            GpuSample(
                self._asked(lambda handle=handle: float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
                self._asked(lambda handle=handle: int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)),
            )
            for handle in self._handles
        ]

    def _asked(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
