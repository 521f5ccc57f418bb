"""What about a machine would spoil a measurement: made-up machines, and this one."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.points import Silent, point
from support.program import Program

from runner.analysis.preflight import for_records, preflight
from runner.analysis.preflight.limits import FEW_TASKS
from runner.commands.dispatch import dispatch
from runner.config.options import Pillow
from runner.host.conditions import COUNTERS, Conditions
from runner.host.environment import differences
from runner.host.limits import Limits
from runner.host.load import HostLoad
from runner.record.reading import read_point
from runner.report.subject import read_subject
from runner.report.tables import of_environment
from runner.sweeps.resuming import restore
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor

_CPU, _NODE, _SUPPLY = "sys/devices/system/cpu", "sys/devices/system/node", "sys/class/power_supply"
_COUNTED = {file: "0" for file, _ in COUNTERS.values()}

# A quiet machine: four CPUs, four cores, one node.
QUIET: Mapping[str, str] = {
    **{f"{_CPU}/cpu{cpu}/cpufreq/scaling_governor": "performance\n" for cpu in range(4)},
    **{f"{_CPU}/cpu{cpu}/topology/core_id": f"{cpu}\n" for cpu in range(4)},
    **{f"{_CPU}/cpu{cpu}/thermal_throttle/core_throttle_count": "0\n" for cpu in range(4)},
    **{f"{_NODE}/node0/cpu{cpu}/online": "1" for cpu in range(4)},
    f"{_CPU}/intel_pstate/no_turbo": "1\n",
    f"{_SUPPLY}/AC/type": "Mains\n",
    **_COUNTED,
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "proc/meminfo": "SwapTotal:  8000000 kB\nSwapFree:  8000000 kB\n",
    "proc/self/mountinfo": "20 1 0:1 / / rw - ext4 /dev/sda rw\n",
    "proc/self/cgroup": "0::/job\n",
    "dev/shm/x": "",
}


def made_up(root: Path, files: Mapping[str, str] = {}, without: str = "-", limits: Limits | None = None) -> dict[str, Any]:
    """The findings on a machine with these files, by kind; files whose path begins with ``without`` are left out."""
    for name, text in {name: text for name, text in {**QUIET, **files}.items() if not name.startswith(without)}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    now = Conditions.now([Path("/data/photos")], limits=limits or Limits(), root=root, cpus=(0, 1, 2, 3), linux=True)
    return {one["kind"]: one for one in preflight(now)}


def test_nothing_is_found_on_a_quiet_machine(tmp_path: Path) -> None:
    found = made_up(tmp_path)
    del found["shared_memory"]  # the made-up machine has the disk of this one
    assert {one["state"] for one in found.values()} == {"fine"}


@pytest.mark.parametrize(
    ("kind", "files", "message", "advice"),
    [
        ("governor", {f"{_CPU}/cpu2/cpufreq/scaling_governor": "powersave\n"}, "performance, powersave", "cpupower"),
        ("turbo", {f"{_CPU}/intel_pstate/no_turbo": "0\n"}, "turbo", "no_turbo"),
        ("smt", {f"{_CPU}/cpu{cpu}/topology/core_id": f"{cpu % 2}\n" for cpu in range(4)}, "4 CPUs share 2 cores", "affinity=0-1 "),
        ("smt", {f"{_CPU}/cpu{cpu}/topology/core_id": f"{cpu // 2}\n" for cpu in range(4)}, "share 2 cores", "affinity='0,2' "),
        ("heat", {f"{_CPU}/cpu1/thermal_throttle/core_throttle_count": "17\n"}, "17 times", "cooling"),
        ("quota", {"sys/fs/cgroup/job/cpu.max": "150000 100000\n"}, "allows 1.5 of 4 CPUs", "no more than 1 busy"),
        ("memory_pressure", {"proc/pressure/memory": "some avg10=12.50 avg60=0.00 total=9\n"}, "12 % of the last 10 s", "memory"),
        ("io_pressure", {"proc/pressure/io": "some avg10=40.00 avg60=0.00 total=9\n"}, "40 %", "reads and writes"),
        ("swap", {"proc/meminfo": "SwapTotal: 8000000 kB\nSwapFree: 7000000 kB\n"}, "1.0 GB", "swapoff"),
        ("battery", {f"{_SUPPLY}/BAT0/type": "Battery\n", f"{_SUPPLY}/BAT0/status": "Discharging\n"}, "battery", "plug"),
        (
            "page_cache",
            {"proc/self/mountinfo": "20 1 0:1 / / rw - ext4 /dev/sda rw\n21 20 0:2 / /data rw,noatime shared:1 - nfs4 server:/x rw\n"},
            "/data/photos (nfs4)",
            "a copy",
        ),
    ],
)  # fmt: skip
def test_what_would_spoil_a_measurement_is_found_with_what_can_be_done(
    tmp_path: Path, kind: str, files: dict[str, str], message: str, advice: str
) -> None:
    one = made_up(tmp_path, files)[kind]
    assert one["state"] == "found"
    assert message in one["message"]
    assert advice in one["advice"]
    assert one["handling"]


def test_cpus_of_two_memory_nodes_are_found(tmp_path: Path) -> None:
    one = made_up(tmp_path, {f"{_NODE}/node1/cpu{cpu}/online": "1" for cpu in (2, 3)}, without=f"{_NODE}/node0/cpu2")["numa"]
    assert one["state"] == "found"
    assert "2 memory nodes" in one["message"]


def test_the_battery_of_a_mouse_is_not_the_machines(tmp_path: Path) -> None:
    mouse = {
        f"{_SUPPLY}/mouse/{name}": text
        for name, text in {"type": "Battery", "scope": "Device", "status": "Discharging"}.items()
    }
    assert made_up(tmp_path, mouse)["battery"]["state"] == "fine"


@pytest.mark.parametrize(
    ("kind", "without"),
    [
        ("governor", _CPU), ("turbo", _CPU), ("smt", _CPU), ("heat", _CPU), ("numa", _NODE), ("battery", _SUPPLY), ("swap", "proc/meminfo"),
        ("memory_pressure", "proc/pressure"), ("io_pressure", "proc/pressure"), ("page_cache", "proc/self/mountinfo"),
        ("shared_memory", "dev"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_to_be_unknown(tmp_path: Path, kind: str, without: str) -> None:
    one = made_up(tmp_path, without=without)[kind]
    assert one["state"] == "unknown"
    assert one["message"]
    assert not one["advice"]


def test_counters_that_an_old_kernel_lacks_are_named_with_what_is_unknown_without_them(tmp_path: Path) -> None:
    one = made_up(tmp_path, without="proc/pressure")["counters"]
    assert one["state"] == "found"
    assert "pressure stall information (waiting for CPU, memory and storage)" in one["message"]
    assert "smaps_rollup" not in one["message"]


@pytest.mark.parametrize(
    ("kind", "limits", "message"),
    [
        ("open_files", Limits(open_files=256), "256 files (RLIMIT_NOFILE)"),
        ("tasks", Limits(tasks=FEW_TASKS - 1, tasks_most=4096, tasks_name="pids.max"), "pids.max=4096 leaves room for 999"),
        ("address_space", Limits(address_space_bytes=4_000_000_000), "4.0 GB of address space (RLIMIT_AS)"),
        ("memory_limit", Limits(memory_bytes=8_000_000_000, host_memory_bytes=64_000_000_000), "allows 8.0 GB of memory"),
    ],
)  # fmt: skip
def test_low_limits_are_found(tmp_path: Path, kind: str, limits: Limits, message: str) -> None:
    one = made_up(tmp_path, limits=limits)[kind]
    assert one["state"] == "found"
    assert message in one["message"]


def test_nothing_is_claimed_of_a_system_that_says_nothing(tmp_path: Path) -> None:
    now = Conditions.now(limits=Limits(), root=tmp_path, cpus=(0,), linux=False)
    states = {one["kind"]: one["state"] for one in preflight(now)}
    assert "found" not in states.values()
    assert {kind for kind, state in states.items() if state == "fine"} <= {"swap", "battery", "page_cache", "shared_memory"}


def test_load_is_judged_where_there_was_time_to_look_at_it(tmp_path: Path) -> None:
    now = Conditions.now(limits=Limits(), root=tmp_path, cpus=(0,), linux=True)
    quiet = HostLoad(
        other_cpu_pct=None, stolen_pct=1.0, load_1m_before=None, load_1m_after=None, frequency_mhz_before=None, frequency_mhz_after=None,
        throttled_s=None, throttled_periods=None, pressure_cpu_pct=None, pressure_memory_pct=None, pressure_io_pct=None,
    )  # fmt: skip
    busy: HostLoad = {**quiet, "other_cpu_pct": 30.0, "stolen_pct": 5.0}
    seen = [{one["kind"]: one["state"] for one in preflight(now, load)} for load in (None, quiet, busy)]
    assert [states.get("other_load") for states in seen] == [None, "unknown", "found"]
    assert [states.get("steal") for states in seen] == [None, "fine", "found"]


def test_every_record_has_what_was_found_and_what_is_unknown(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = point(tmp_path / "point", task=Pillow())
    Session([subject], 0, Silent(), supervisor).run()
    read = read_point(tmp_path / "point")
    assert read is not None
    findings = read.record["environment"]["findings"]
    here = [tmp_path, Path(tmp_path.anchor)]
    assert {one["kind"] for one in findings} <= {one["kind"] for one in preflight(Conditions.now(here))}
    assert all(one["state"] in {"found", "unknown"} for one in findings)
    if sys.platform == "linux":
        assert {one["kind"] for one in findings if one["kind"] in {"governor", "turbo", "smt", "numa"}} == {
            one["kind"]
            for one in for_records(preflight(Conditions.now()))
            if one["kind"] in {"governor", "turbo", "smt", "numa"}
        }
    rows = [row[1].text for row in of_environment(read_subject(tmp_path / "point")).rows]
    assert [one["message"] for one in findings] == rows[-len(findings) :] or not findings
    again = point(tmp_path / "point", task=Pillow())
    restore(again)
    assert again.record()["environment"]["findings"] == findings
    assert not differences(read.record["environment"], {**read.record["environment"], "findings": []})


def test_the_doctor_looks_at_this_machine(capsys: pytest.CaptureFixture[str], program: Program) -> None:
    status = dispatch(["doctor", str(program.folder), "--json", "--strict"])
    looked = json.loads(capsys.readouterr().out)
    assert {"governor", "quota", "other_load", "steal", "page_cache"} <= {one["kind"] for one in looked["findings"]}
    assert status == int(any(one["state"] == "found" for one in looked["findings"]))
    assert dispatch(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all(f"{one['kind']}: " in said for one in looked["findings"])
    assert dispatch(["doctor", "not-here"]) == 1
    assert capsys.readouterr().err.startswith("FOLDER=not-here: does not exist")
