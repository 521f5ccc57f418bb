"""GPUs as NVML tells of them: NVIDIA's own Python binding on a library that stands in for the driver's.

Proved on a stand-in only where no card is at hand; it has the driver's binary interface, and its answers are made up.
"""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import pynvml
import pytest
from support.program import Program, compiled

from runner.host.gpu import Gpus, GpuSample
from runner.monitor.gpu_record import gpu_metrics, gpu_record
from runner.monitor.sampler import Sample
from runner.monitor.schema import GpuRecord

GIB = 2**30


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("nvml.c", tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1")


@pytest.fixture
def driver(library: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that says what the machine has from now on."""

    def have(what: str, pids: str = "") -> None:
        monkeypatch.setattr(pynvml, "CDLL", lambda _: ctypes.CDLL(str(library)))
        monkeypatch.setattr(pynvml, "nvmlLib", None)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        monkeypatch.setenv("FAKE_NVML", what)
        monkeypatch.setenv("FAKE_NVML_PIDS", pids)

    return have


def test_every_figure_of_two_cards_is_read(driver: Any) -> None:
    driver("two", "7,8")
    gpus = Gpus()
    assert [(device.name, device.memory_bytes) for device in gpus.devices] == [("Fake 100", 80 * GIB)] * 2
    assert (gpus.absent, gpus.driver) == ("", "555.42")
    first, second = gpus.sample([7])
    assert (first.utilization_pct, second.utilization_pct) == (40, 60)
    assert (first.memory_bytes, second.memory_bytes) == (GIB, 2 * GIB)
    assert (first.power_w, first.temperature_c) == (150, 50)
    assert first.energy_j is not None
    assert first.own_memory_bytes == 100 * 2**20  # of process 7, not of 8
    assert first.own_utilization_pct == 15  # the mean of its samples
    assert gpus.devices[0].missing == {}


def test_a_driver_that_lists_no_process_of_ours_gives_a_reason_and_no_zero(driver: Any) -> None:
    """So it is in a container, where the driver has other numbers for our processes, and where the trial uses no GPU."""
    for pids in ("", "4711"):
        driver("two", pids)
        gpus = Gpus()
        sample = gpus.sample([7])[0]
        assert (sample.own_memory_bytes, sample.own_utilization_pct) == (None, None)
        assert sample.utilization_pct == 40
        assert set(gpus.devices[0].missing.values()) == {"the driver lists no process of the trial"}


def test_the_instances_of_a_mig_card_are_devices_of_their_own(driver: Any) -> None:
    driver("mig", "7")
    gpus = Gpus()
    assert [(device.name, device.memory_bytes) for device in gpus.devices] == [("Fake 100 MIG 3g.20gb", 20 * GIB)] * 2
    sample = gpus.sample([7])[0]
    assert (sample.utilization_pct, sample.power_w) == (None, None)
    assert sample.memory_bytes == GIB
    assert gpus.devices[0].missing["utilization_pct"] == "Not Supported"


def test_what_a_card_does_not_support_is_unknown_with_the_reason(driver: Any) -> None:
    driver("bare")
    gpus = Gpus()
    (sample,) = gpus.sample([7])
    assert sample == GpuSample(memory_bytes=GIB)
    assert gpus.devices[0].missing["power_w"] == "Not Supported"


def test_a_card_that_is_lost_on_the_way_costs_its_figures_only(driver: Any) -> None:
    driver("lost")
    gpus = Gpus()
    seen = [gpus.sample([7])[0].utilization_pct for _ in range(5)]
    assert seen == [40, 40, 40, None, None]
    assert gpus.devices[0].missing["utilization_pct"] == "GPU is lost"


def test_a_card_whose_name_is_no_text_has_its_number(driver: Any) -> None:
    """As a driver for WSL gives them."""
    driver("odd")
    gpus = Gpus()
    assert ([device.name for device in gpus.devices], gpus.driver, gpus.absent) == (["GPU 0"], None, "")
    assert gpus.sample([7])[0].utilization_pct == 40


def test_a_driver_that_answers_with_anything_else_is_no_gpu_and_no_error(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver("two")

    def broken() -> int:
        raise OSError("the library is broken")

    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", broken)
    gpus = Gpus()
    assert (gpus.devices, gpus.absent) == ([], "the NVIDIA driver does not answer (the library is broken)")


def test_no_driver_is_said_once_with_the_reason(driver: Any) -> None:
    driver("none")
    gpus = Gpus()
    assert gpus.devices == []
    assert "Driver Not Loaded" in gpus.absent
    record = gpu_record(gpus, [], sampled=True)
    expected: GpuRecord = {"absent": gpus.absent, "devices": []}
    assert record == expected
    assert gpu_metrics(record, 10) == {}


def test_energy_is_that_of_the_epochs_alone(driver: Any) -> None:
    driver("two")
    gpus = Gpus()

    def sample(phase: str, energy_j: float) -> Sample:
        gpu = GpuSample(utilization_pct=50, memory_bytes=GIB, power_w=100, energy_j=energy_j)
        return Sample(at_ns=0, phase=phase, gpus=(gpu, gpu))

    samples = [sample("pause", 10), sample("epoch", 11), sample("epoch", 13), sample("pause", 50), sample("epoch", 51)]
    record = gpu_record(gpus, samples, sampled=True)
    assert [device["energy_j"] for device in record["devices"]] == [4, 4]
    metrics = gpu_metrics(record, images=4)
    assert metrics["gpu_energy_j_per_image"] == 2
    assert metrics["gpu_memory_mb"] == pytest.approx(2 * GIB / 1e6)
    assert metrics["gpu_memory_pct"] == pytest.approx(2 / 160 * 100)


def test_a_run_on_a_machine_with_cards_has_their_figures_in_its_record(program: Program, library: Path) -> None:
    path = f"{library.parent}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    words = ["mode=sequential", "task=pillow", "images=2", "protocol=quick", "protocol.rounds=1", "tracking=none"]
    answer = program.cold(*words, LD_LIBRARY_PATH=path, FAKE_NVML="two")
    assert answer.returncode == 0, answer.stderr
    assert "GPU usage: 40%/60% → 40%/60% (Fake 100, Fake 100)" in answer.stdout
    (result,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(result.read_text())
    assert [device["power_w"] for device in record["trials"][0]["gpu"]["devices"]] == [150, 150]
    assert record["metrics"]["gpu_utilization_pct"]["value"] == 50
    assert record["metrics"]["gpu_energy_j_per_image"]["value"] > 0
    header = (result.parent / "samples.csv").read_text().splitlines()[0]
    assert "gpu_1_energy_j" in header
