"""The JSON Schema by which an editor checks a preset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runner.config.preset_schema import SCHEMA_LINE, SCHEMA_NAME, preset_schema_text
from runner.config.registry import EXPERIMENT, GROUPS, conf_dir, doc_of, options

PRESETS = sorted((conf_dir() / EXPERIMENT).glob("*.yaml"))
SCHEMA = json.loads((conf_dir() / EXPERIMENT / SCHEMA_NAME).read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def wrong_in(text: str) -> list[str]:
    """Where a preset is not as the schema says."""
    return ["/".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_that_is_shipped_is_that_of_the_types() -> None:
    assert (conf_dir() / EXPERIMENT / SCHEMA_NAME).read_text(encoding="utf-8") == preset_schema_text(), (
        "make schema writes it anew"
    )
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_each_preset_is_as_the_schema_says_and_points_to_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not wrong_in(text)
    assert text.splitlines()[1] == SCHEMA_LINE
    assert (path.parent / SCHEMA_LINE.partition("$schema=")[2]).is_file()
    assert "yaml-language-server" not in doc_of(EXPERIMENT, path.stem)


def test_the_defaults_of_every_option_are_as_the_schema_says() -> None:
    for group in GROUPS:
        for name in options()[group]:
            file = conf_dir() / group / f"{name}.yaml"
            fields = yaml.safe_load(file.read_text(encoding="utf-8"))
            known = {key: value for key, value in fields.items() if key not in {"defaults", "name"} and value != "???"}
            preset: dict[str, Any] = {"defaults": [{f"override /{group}": name}], group: known}
            assert not wrong_in(yaml.safe_dump(preset)), f"{group}={name}"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("imags: 3", ""),
        ("workers: 0", "workers"),
        ("workers: many", "workers"),
        ("images: some", "images"),
        ("skip: everything", "skip"),
        ("protocol: {rounds: three}", "protocol/rounds"),
        ("protocol: {turns: 3}", "protocol"),
        ("mode: {start_method: clone}", "mode/start_method"),
        ("mode: process", "mode"),
        ("defaults: [{override /task: pilow}]", "defaults/0"),
        ("defaults: [{override /taks: pillow}]", "defaults/0"),
        ("{defaults: [{override /mode: thread}], mode: {start_method: fork}}", "mode"),
        ("hydra: {mode: TWICE}", "hydra/mode"),
        ("hydra: {sweeper: {params: {worker: '1,2'}}}", "hydra/sweeper/params"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_marked(text: str, where: str) -> None:
    assert wrong_in(text) == [where]


@pytest.mark.parametrize(
    "text",
    [
        "images: auto", "images: 20", "affinity: 0-3", "affinity: 0", "affinity: null", "workers: ${oc.env:WORKERS}", "host: {wait_s: 5}",
        "{defaults: [{override /mode: process}], mode: {start_method: fork}}", "mode: {start_method: fork}", "consumer: {step_s: 0.4}",
        "defaults: [threads_vs_processes, _self_, {override hydra/launcher: joblib}]",
        "hydra: {sweeper: {params: {workers: '1,2', mode.start_method: 'fork,spawn', images: 5}}, launcher: {n_jobs: 1}}",
    ],
)  # fmt: skip
def test_what_is_accepted_is_not_marked(text: str) -> None:
    assert not wrong_in(text)
