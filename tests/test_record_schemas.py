"""Records are as their JSON Schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import psutil
import pytest
from support.photos import photo
from support.points import Silent, point
from support.program import Program
from support.records import OLD

from runner.config.metrics import METRICS
from runner.config.options import Folder, Pillow, Protocol
from runner.record.json_schema import schema_texts
from runner.record.metric_schema import MetricName, Metrics, TrialMetrics
from runner.sweeps.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

SMALL_IMAGES = ["source=synthetic", "source.width=64", "source.height=64", "images=4", "task=pillow", "task.size=8"]


def held_against_schema(path: Path) -> dict[str, Any]:
    """The record in this file, which is as its JSON Schema says."""
    text = next(text for at, text in schema_texts().items() if at.name == f"{path.stem}.schema.json")
    record: dict[str, Any] = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json.loads(text)).validate(record)
    return record


def test_the_schemas_that_are_shipped_are_those_of_the_types() -> None:
    for path, text in schema_texts().items():
        assert path.read_text(encoding="utf-8") == text, "make schema writes it anew"
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_every_metric_has_a_type_of_its_own() -> None:
    names = set(get_args(MetricName))
    assert names == set(Metrics.__annotations__) == TrialMetrics.__required_keys__ | TrialMetrics.__optional_keys__
    assert set(METRICS) <= names


def test_a_record_from_before_is_as_the_schema_says() -> None:
    for path in sorted(OLD.rglob("*.json")):
        held_against_schema(path)


def test_a_point_with_damaged_images_is_as_the_schema_says(tmp_path: Path, supervisor: Supervisor) -> None:
    photo(tmp_path / "photos" / "a.jpg", (200, 100))
    (tmp_path / "photos" / "b.jpg").write_bytes(b"this is no image")
    subject = point(tmp_path / "point", source=Folder(path=str(tmp_path / "photos")), task=Pillow())
    Session([subject], 0, Silent(), supervisor).run()
    record = held_against_schema(tmp_path / "point" / "result.json")
    assert record["status"] == "ok"
    assert record["trials"][0]["image_errors"]


class Striking(Silent):
    """Kills the trial in its first epoch."""

    def event(self, event: object) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            psutil.Process(event.pids[0]).kill()


@pytest.mark.parametrize("status", ["failed", "killed", "timeout"])
def test_a_point_that_does_not_come_to_its_end_is_as_the_schema_says(
    tmp_path: Path, supervisor: Supervisor, status: str
) -> None:
    (tmp_path / "garbage.jpg").write_bytes(b"this is no image")
    changes: dict[str, dict[str, Any]] = {
        "failed": {"source": Folder(path=str(tmp_path))},
        "killed": {},
        "timeout": {"protocol": Protocol(rounds=1, epochs=100_000, warmup_epochs=0, timeout_s=1)},
    }
    subject = point(tmp_path / "point", task=Pillow(), **changes[status])
    Session([subject], 0, Striking() if status == "killed" else Silent(), supervisor).run()
    record = held_against_schema(tmp_path / "point" / "result.json")
    assert (record["status"], record["metrics"]) == (status, {})


def test_a_sweep_with_servers_and_verdicts_is_as_the_schemas_say(program: Program) -> None:
    words = [
        "mode=sequential,thread", "workers=2", "sink=http", "source.serve=true", "monitor.gil_probe=true", "protocol.rounds=2", "protocol.epochs=1",
        "protocol.verdicts=true", "protocol.self_check=true", "tracking=none",
    ]  # fmt: skip
    answer = program(*SMALL_IMAGES, *words, "-m")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    sweep = held_against_schema(folder / "sweep.json")
    assert sweep["comparisons"]
    assert sweep["self_check"]
    for number in ("0", "1", "self_check"):
        trial = held_against_schema(folder / number / "result.json")["trials"][0]
        assert trial["services"]
        assert trial["sink"]["checked"]
        assert trial["gil"]
