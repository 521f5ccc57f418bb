"""NVIDIA GPUs by NVML. What cannot be asked is None, never 0, and why is said once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class GpuSample:
    """One device at one moment; None where the driver does not say.

    Attributes:
        utilization_pct: share of the driver's last interval (1/6 to 1 s) in which some kernel ran.
        memory_bytes: in use, by whomever.
        power_w, temperature_c: by the device's sensors.
        energy_j: since the driver was loaded; differences count.
        own_utilization_pct, own_memory_bytes: of the trial's processes alone.
    """

    utilization_pct: float | None = None
    memory_bytes: int | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    energy_j: float | None = None
    own_utilization_pct: float | None = None
    own_memory_bytes: int | None = None


@dataclass
class Gpu:
    """One device, or one MIG instance of a device, which counts as a device of its own.

    Attributes:
        name: by the driver.
        memory_bytes: the device's total.
        missing: for each figure that cannot be had, the reason.
    """

    name: str
    memory_bytes: int | None
    missing: dict[str, str] = field(default_factory=dict)


class Gpus:
    """The GPUs of this machine.

    Attributes:
        devices: empty where there is none.
        absent: why there is none, in a few words; empty where there is one.
        driver: its version, None where there is none.
    """

    def __init__(self) -> None:
        self.devices: list[Gpu] = []
        self.absent = ""
        self.driver: str | None = None
        self._handles: list[Any] = []
        self._asked_at_us: list[int] = []
        self._never: set[tuple[int, str]] = set()
        try:
            import pynvml
        except ImportError:
            self.absent = "nvidia-ml-py is not installed"
            return
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self.absent = f"no NVIDIA driver ({_text(error)})"
            return
        try:
            for index in range(pynvml.nvmlDeviceGetCount()):
                self._add(index)
            self.driver = _text(pynvml.nvmlSystemGetDriverVersion())
        except pynvml.NVMLError as error:
            self.absent = "" if self.devices else f"the NVIDIA driver does not answer ({_text(error)})"
        if not self.devices and not self.absent:
            self.absent = "no NVIDIA GPU"
        self._asked_at_us = [int(time.time() * 1e6)] * len(self._handles)

    def _add(self, index: int) -> None:
        nvml = self._nvml
        try:
            whole = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError:  # one that has fallen off the bus, or is not ours to see
            return
        for handle in self._instances(whole) or [whole]:
            name = self._first(nvml.nvmlDeviceGetName, handle)
            memory = self._first(nvml.nvmlDeviceGetMemoryInfo, handle)
            self._handles.append(handle)
            self.devices.append(Gpu(f"GPU {index}" if name is None else _text(name), memory and int(memory.total)))

    def _instances(self, whole: Any) -> list[Any]:
        """The MIG instances of a device, empty where it is not cut up."""
        nvml = self._nvml
        mode = self._first(nvml.nvmlDeviceGetMigMode, whole)
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
        count = self._first(nvml.nvmlDeviceGetMaxMigDeviceCount, whole) or 0
        asked = [self._first(nvml.nvmlDeviceGetMigDeviceHandleByIndex, whole, at) for at in range(count)]
        return [handle for handle in asked if handle is not None]

    def _first(self, question: Callable[..., Any], *about: Any) -> Any:
        """The answer, None where there is none."""
        try:
            return question(*about)
        except self._nvml.NVMLError:
            return None

    def sample(self, pids: Sequence[int]) -> list[GpuSample]:
        """One sample a device; ``pids`` are the trial's processes."""
        return [self._sample(index, frozenset(pids)) for index in range(len(self._handles))]

    def _sample(self, index: int, pids: frozenset[int]) -> GpuSample:
        nvml, handle = self._nvml, self._handles[index]

        def asked(what: str, question: Callable[[], T]) -> T | None:
            return self._asked(index, what, question)

        return GpuSample(
            utilization_pct=asked("utilization_pct", lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            memory_bytes=asked("memory_bytes", lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).used)),
            power_w=asked("power_w", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            temperature_c=asked(
                "temperature_c", lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
            ),
            energy_j=asked("energy_j", lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
            own_utilization_pct=asked("own_utilization_pct", lambda: self._own_utilization_pct(index, pids)),
            own_memory_bytes=asked("own_memory_bytes", lambda: self._own_memory_bytes(index, pids)),
        )

    def _asked(self, index: int, what: str, question: Callable[[], T]) -> T | None:
        if (index, what) in self._never:
            return None
        try:
            answer = question()
        except self._nvml.NVMLError as error:
            self.devices[index].missing[what] = _text(error)
            if error.value == self._nvml.NVML_ERROR_NOT_SUPPORTED:
                self._never.add((index, what))  # it will not be supported later either
            return None
        if answer is not None:
            self.devices[index].missing.pop(what, None)
        return answer

    def _own_memory_bytes(self, index: int, pids: frozenset[int]) -> int | None:
        running = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handles[index])
        own = [process.usedGpuMemory for process in running if process.pid in pids]
        if any(size is None for size in own):
            self.devices[index].missing["own_memory_bytes"] = "this driver does not report memory by process"
            return None
        if not own:
            # Also where the trial does not use the GPU: from outside a container's process numbers, the two look the same.
            self.devices[index].missing["own_memory_bytes"] = "the driver lists no process of the trial"
            return None
        return int(sum(own))

    def _own_utilization_pct(self, index: int, pids: frozenset[int]) -> float | None:
        since, self._asked_at_us[index] = self._asked_at_us[index], int(time.time() * 1e6)
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(self._handles[index], since)
        except self._nvml.NVMLError as error:
            # Nobody has used it since; pynvml turns a driver's «success, of nothing» into an error as well.
            if error.value not in {self._nvml.NVML_ERROR_NOT_FOUND, self._nvml.NVML_SUCCESS}:
                raise
            samples = []
        own: dict[int, list[int]] = {}
        for sample in samples:
            if sample.pid in pids:
                own.setdefault(sample.pid, []).append(sample.smUtil)
        if not own:
            self.devices[index].missing["own_utilization_pct"] = "the driver lists no process of the trial"
            return None
        return min(100.0, sum(sum(values) / len(values) for values in own.values()))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
