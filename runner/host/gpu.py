"""NVIDIA GPUs, read through NVML. A figure that cannot be read is None, never 0, and the reason is kept with the device."""

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
        memory_bytes: in use by all programs.
        power_w, temperature_c: from the device's sensors.
        energy_j: since the driver was loaded; only differences mean something.
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
    """A device, or a MIG instance of one, which counts as a device of its own.

    Attributes:
        name: from the driver.
        memory_bytes: the device's total.
        missing: for each figure that cannot be read, the reason.
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
        self._last_asked_us: list[int] = []
        self._unsupported: set[tuple[int, str]] = set()
        try:
            import pynvml
        except ImportError:
            self.absent = "nvidia-ml-py is not installed"
            return
        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except Exception as error:  # pynvml raises what its decoding raises, too
            self.absent = f"no NVIDIA driver ({_text(error)})"
            return
        try:
            for index in range(pynvml.nvmlDeviceGetCount()):
                self._add(index)
            self.driver = None if (version := self._answer(pynvml.nvmlSystemGetDriverVersion)) is None else _text(version)
        except Exception as error:
            self.absent = "" if self.devices else f"the NVIDIA driver does not answer ({_text(error)})"
        if not self.devices and not self.absent:
            self.absent = "no NVIDIA GPU"
        self._last_asked_us = [int(time.time() * 1e6)] * len(self._handles)

    def _add(self, index: int) -> None:
        nvml = self._nvml
        whole = self._answer(nvml.nvmlDeviceGetHandleByIndex, index)
        if whole is None:  # it has fallen off the bus, or this user may not see it
            return
        for handle in self._instances(whole) or [whole]:
            name = self._answer(nvml.nvmlDeviceGetName, handle)
            memory = self._answer(nvml.nvmlDeviceGetMemoryInfo, handle)
            self._handles.append(handle)
            self.devices.append(Gpu(f"GPU {index}" if name is None else _text(name), memory and int(memory.total)))

    def _instances(self, whole: Any) -> list[Any]:
        """The MIG instances of a device; empty if it is not divided into any."""
        nvml = self._nvml
        mode = self._answer(nvml.nvmlDeviceGetMigMode, whole)
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
        count = self._answer(nvml.nvmlDeviceGetMaxMigDeviceCount, whole) or 0
        handles = [self._answer(nvml.nvmlDeviceGetMigDeviceHandleByIndex, whole, number) for number in range(count)]
        return [handle for handle in handles if handle is not None]

    def _answer(self, question: Callable[..., Any], *about: Any) -> Any:
        """The driver's answer; None where it has none, or one that is no text, such as a name that is not UTF-8."""
        try:
            return question(*about)
        except (self._nvml.NVMLError, UnicodeError):
            return None

    def sample(self, pids: Sequence[int]) -> list[GpuSample]:
        """One sample of each device; ``pids`` are the trial's processes."""
        return [self._sample(index, frozenset(pids)) for index in range(len(self._handles))]

    def _sample(self, index: int, pids: frozenset[int]) -> GpuSample:
        nvml, handle = self._nvml, self._handles[index]

        def read(what: str, question: Callable[[], T]) -> T | None:
            return self._read(index, what, question)

        return GpuSample(
            utilization_pct=read("utilization_pct", lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
            memory_bytes=read("memory_bytes", lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).used)),
            power_w=read("power_w", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
            temperature_c=read(
                "temperature_c", lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
            ),
            energy_j=read("energy_j", lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
            own_utilization_pct=read("own_utilization_pct", lambda: self._own_utilization_pct(index, pids)),
            own_memory_bytes=read("own_memory_bytes", lambda: self._own_memory_bytes(index, pids)),
        )

    def _read(self, index: int, what: str, question: Callable[[], T]) -> T | None:
        if (index, what) in self._unsupported:
            return None
        try:
            answer = question()
        except Exception as error:
            self.devices[index].missing[what] = _text(error)
            if getattr(error, "value", None) == self._nvml.NVML_ERROR_NOT_SUPPORTED:
                self._unsupported.add((index, what))  # so it is not asked again
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
            # Either the trial does not use the GPU, or it runs in a container, whose process ids the driver does not know.
            self.devices[index].missing["own_memory_bytes"] = "the driver lists no process of the trial"
            return None
        return int(sum(own))

    def _own_utilization_pct(self, index: int, pids: frozenset[int]) -> float | None:
        since_us, self._last_asked_us[index] = self._last_asked_us[index], int(time.time() * 1e6)
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(self._handles[index], since_us)
        except self._nvml.NVMLError as error:
            # No process has used it since. A driver may call that a success without data, which pynvml raises as an error too.
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
