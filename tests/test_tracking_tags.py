"""Tags and a note of one's own on every run in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from support.points import Silent, point

from runner.config.options import NoTracking, Pillow
from runner.config.options.tracking import OWN_TAGS
from runner.config.plain import config_hash
from runner.errors import ConfigurationError
from runner.record.reading import PointRecord, SweepRecord, read_point
from runner.record.sweep_schema import SweepJson
from runner.sweeps.session import Session
from runner.tracking.content import point_content, sweep_content
from runner.trial.supervisor import Supervisor

TAGS = {"team": "vision", "ticket": 12, "token": "abcdefgh12345"}
NOTE = "quiet machine, first look"


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> PointRecord:
    """A point with tags and a note."""
    folder = tmp_path_factory.mktemp("tagged") / "point"
    subject = point(folder, task=Pillow(), tracking=NoTracking(tags=TAGS, note=NOTE))
    Session([subject], 0, Silent(), Supervisor()).run()
    read = read_point(folder)
    assert read is not None
    return read


def sweep_of(one: PointRecord) -> SweepRecord:
    record = cast(
        "SweepJson",
        {
            "schema_version": 1, "id": "a", "command": "", "baseline": one.label, "points": [], "comparisons": [], "self_check": None,
            "trusted": True, "warnings": [],
        },
    )  # fmt: skip
    return SweepRecord(one.folder.parent, record, [one])


def test_a_run_and_its_parent_have_the_users_tags_and_note(tagged: PointRecord) -> None:
    sweep = sweep_of(tagged)
    for content in (point_content(tagged, sweep), sweep_content(sweep)):
        assert content.tags["team"] == "vision"
        assert content.tags["ticket"] == "12"
        assert content.tags["token"] == "***"  # noqa: S105  (masked)
        assert content.tags["mlflow.note.content"].startswith(f"{NOTE}\n\n")
        rest = {name for name in content.tags if name not in TAGS and not name.startswith("mlflow.")}
        assert rest <= OWN_TAGS


def test_no_secret_of_a_tag_is_on_disk(tagged: PointRecord) -> None:
    files = [path for path in tagged.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if str(TAGS["token"]).encode() in path.read_bytes()]


def test_tags_and_note_make_no_other_point(tmp_path: Path) -> None:
    one, other = (point(tmp_path, tracking=NoTracking(tags=tags)) for tags in (TAGS, None))
    assert config_hash(one.config) == config_hash(other.config)


@pytest.mark.parametrize("tags", ["team", {"record.complete": "true", "mlflow.user": "x", "a=b": "c", "ok": ["x"]}, None])
def test_what_no_user_could_have_chosen_is_left_out_of_a_record_from_elsewhere(tagged: PointRecord, tags: Any) -> None:
    record: Any = {**tagged.record, "config": {**tagged.record["config"], "tracking": {"tags": tags, "note": ["x"]}}}
    content = point_content(PointRecord(tagged.folder, record, tagged.label, tagged.varying), None)
    assert {name for name in content.tags if not name.startswith("mlflow.")} <= OWN_TAGS - {"record.complete"}
    assert content.tags["mlflow.note.content"].startswith("**")


@pytest.mark.parametrize(
    ("tracking", "message"),
    [
        (NoTracking(tags={"status": "x"}), "tracking.tags=status: is no name of a tag in MLflow, or one that"),
        (NoTracking(tags={"MLflow.x": "x"}), "accepted: up to 250 letters"),
        (NoTracking(tags={"a=b": "x"}), "tracking.tags=a=b: is no name"),
        (NoTracking(tags={"a": ["x"]}), "tracking.tags.a=['x']: is no value of a tag"),
        (NoTracking(tags={"a": "x" * 5001}), "has 5001 characters"),
        (NoTracking(tags=7), "tracking.tags=7: is no mapping"),
        (NoTracking(note="x" * 2001), "tracking.note=xxxxxxxxxxxxxxxxxxxx...: has 2001 characters"),
    ],
)  # fmt: skip
def test_a_tag_that_cannot_be_is_refused(tmp_path: Path, tracking: NoTracking, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        tracking.check(point(tmp_path).config)
    assert message in str(refused.value)
