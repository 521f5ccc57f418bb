"""What is no record, or a damaged one, is refused by every reader in the same words."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.points import point
from support.records import OLD

from runner.commands.compare import read_points
from runner.commands.rerun import _read
from runner.errors import ConfigurationError, RunnerError
from runner.record.reading import read_point, read_result, read_sweep, read_sweep_json, records_below
from runner.record.trace import write_trace
from runner.report.subject import read_subject
from runner.sweeps.gathering import sweep_begun_in
from runner.sweeps.resuming import restore
from runner.sweeps.sweep import Sweep
from runner.tracking.fetch import _folders


def _resumed(folder: Path) -> None:
    restore(point(folder))


READERS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: read_result(folder / "result.json"),
    "sync": records_below,
    "compare": lambda folder: read_points([folder]),
    "report": read_subject,
    "rerun": _read,
    "trace": write_trace,
    "resume": _resumed,
}


SWEEP_READERS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: read_sweep_json(folder / "sweep.json"),
    "sync": records_below,
    "compare": lambda folder: read_points([folder]),
    "report": read_subject,
    "rerun": _read,
    "gather": sweep_begun_in,
    "recommend and plan": read_sweep,
    "fetch": lambda folder: _folders(folder / "sweep.json"),
}


NO_RECORDS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "Expecting value"),
    "half": ('{"schema_version": 1, "trials": [', "Expecting value"),
    "no text": (b"\xff\xfe\x00", "codec can't decode"),
    "a list": ("[]", "it is not of the type object"),
    "null": ("null", "it is not of the type object"),
    "no version": ("{}", "its schema_version is None"),
    "a newer one": ('{"schema_version": 99}', "its schema_version is 99, which a newer version of this program has written"),
    "no number": ('{"schema_version": true}', "its schema_version is True"),
    "another program's": ('{"schema_version": "1.0"}', "its schema_version is '1.0'"),
    "NaN": ('{"schema_version": NaN}', "NaN is no number in JSON"),
    "deep": ("[" * 200_000, "maximum recursion depth exceeded"),
    "nothing in it": ('{"schema_version": 1}', "is missing"),
}


@pytest.mark.parametrize("content", NO_RECORDS)
@pytest.mark.parametrize("name", ["result.json", "sweep.json"])
def test_every_reader_refuses_in_the_same_words(tmp_path: Path, name: str, content: str) -> None:
    written, says = NO_RECORDS[content]
    (tmp_path / name).write_bytes(written if isinstance(written, bytes) else written.encode())
    refusals = set()
    for reader in (READERS if name == "result.json" else SWEEP_READERS).values():
        with pytest.raises(RunnerError) as refused:
            reader(tmp_path)
        refusals.add(str(refused.value))
    (refusal,) = refusals
    assert refusal.startswith(f"{tmp_path / name}: is not a record of this program: ")
    assert says in refusal
    assert refusal.endswith(f"\n  accepted: a {name} with schema_version 1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record["trials"][0].pop("phases"), "trials[0].phases is missing"),
        (lambda record: record["trials"][1].update(status="splendid"), "trials[1].status is 'splendid'"),
        (lambda record: record["trials"][0]["epochs"][0].update(work_s="1"), "trials[0].epochs[0].work_s is not of the type number"),
        (lambda record: record["images"].append(3), "images[3] is not of the type object"),
        (lambda record: record["metrics"].update(work_s=None), "metrics.work_s is not of the type object"),
        (lambda record: record.update(config=[]), "config is not of the type object"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong_in_the_record(tmp_path: Path, change: Callable[[Any], object], says: str) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    change(record)
    (tmp_path / "result.json").write_text(json.dumps(record))
    with pytest.raises(RunnerError) as refused:
        read_point(tmp_path)
    assert says in str(refused.value)


def test_keys_that_came_later_are_no_reason_to_refuse(tmp_path: Path) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    record["later"] = record["trials"][0]["later"] = 3
    (tmp_path / "result.json").write_text(json.dumps(record))
    assert read_point(tmp_path) is not None


def test_a_key_that_once_had_another_name_is_read_under_its_name_of_today(tmp_path: Path) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    record["trials"][0]["gil"] = {"wakeups": 9, "held_pct": 5.0, "told_from_waiting_for_a_cpu": True, "probe_cpu_s": 0.0}
    (tmp_path / "result.json").write_text(json.dumps(record))
    gil = read_result(tmp_path / "result.json")["trials"][0]["gil"]
    assert gil == {"wakeups": 9, "held_pct": 5.0, "excludes_cpu_wait": True, "probe_cpu_s": 0.0}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["result.json", "sweep.json"])
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32":
        pytest.skip("takes named pipes")
    os.mkfifo(tmp_path / name)
    for reader in (READERS if name == "result.json" else SWEEP_READERS).values():
        with pytest.raises(RunnerError, match="it is no regular file"):
            reader(tmp_path)


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    for reader in [*READERS.values(), *SWEEP_READERS.values()]:
        if reader is _resumed:
            continue  # a new point
        with pytest.raises(RunnerError, match="holds no record"):
            reader(tmp_path)


def test_a_point_is_not_resumed_from_the_record_of_another(tmp_path: Path) -> None:
    shutil.copy(OLD / "0" / "result.json", tmp_path)
    with pytest.raises(ConfigurationError, match="holds another configuration"):
        _resumed(tmp_path)


def test_a_sweep_that_is_begun_again_keeps_its_id_and_one_that_cannot_be_read_is_another(tmp_path: Path) -> None:
    points = [point(tmp_path / "0")]
    shutil.copy(OLD / "sweep.json", tmp_path)
    assert Sweep.of(points, tmp_path).id == read_sweep_json(OLD / "sweep.json")["id"]
    (tmp_path / "sweep.json").write_text("{")
    assert Sweep.of(points, tmp_path).id != read_sweep_json(OLD / "sweep.json")["id"]
