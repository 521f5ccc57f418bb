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
        return [GpuSample(self._utilization_pct(handle), self._memory_bytes(handle)) for handle in self._handles]

    def _utilization_pct(self, handle: Any) -> float | None:
        return self._asked(lambda: float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu))

    def _memory_bytes(self, handle: Any) -> int | None:
        return self._asked(lambda: int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used))

    def _asked(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except self._nvml.NVMLError:
            return None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
