"""Presets in ``conf/experiment`` of the current folder: found by name, and data, whoever's the folder is."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from runner.commands.recommend import words_that_find
from runner.config.direct import configurations
from runner.config.early import refuse_early, sweeps_among
from runner.config.explain import explain
from runner.config.options import Config
from runner.config.registry import conf_dir, doc_of, files_of, own_presets
from runner.config.store import register
from runner.errors import ConfigurationError

HEAD = "# @package _global_\n# python -m runner experiment=mine\n#\n# Mine, for a reason.\n"
POINT = "defaults:\n  - override /task: pillow\n  - override /mode: process\nworkers: 3\ntask: {size: 8}\n"
SWEPT = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      mode: thread,process\n      workers: 1,2\n"


@pytest.fixture(scope="module")
def hydra() -> Iterator[None]:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def written(text: str, name: str = "mine") -> Path:
    path = Path("conf", "experiment", f"{name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def hydras(*words: str) -> object:
    try:
        return OmegaConf.to_object(compose("config", overrides=list(words)))
    except Exception as error:
        raise explain(error, words) from error


def test_a_preset_is_composed_without_hydra_as_by_hydra(hydra: None) -> None:
    written(HEAD + POINT)
    (config,) = configurations(["experiment=mine", "images=5"]) or []
    assert config == hydras("experiment=mine", "images=5")
    assert (config.task.name, config.mode.name, config.workers) == ("pillow", "process", 3)


def test_a_preset_of_a_sweep_has_its_points(hydra: None) -> None:
    written(HEAD + POINT + SWEPT)
    assert sweeps_among(["mine", "notebook"]) == ["mine"]
    words = [[f"mode={mode}", f"workers={workers}"] for mode, workers in itertools.product(["thread", "process"], [1, 2])]
    assert configurations(["experiment=mine"]) == [hydras("experiment=mine", *point) for point in words]


def test_what_is_changed_in_a_preset_is_seen_at_once(hydra: None) -> None:
    for workers in (3, 4):
        written(f"{HEAD}workers: {workers}\n")
        (config,) = configurations(["experiment=mine"]) or []
        assert config.workers == workers


def test_presets_are_listed_with_what_they_are_and_suggested() -> None:
    written(HEAD + POINT)
    assert "mine" in files_of("experiment")
    assert doc_of("experiment", "mine") == "Mine, for a reason"
    with pytest.raises(ConfigurationError, match="did you mean mine"):
        refuse_early(["experiment=mien"])


def test_a_preset_of_the_programs_own_comes_first(hydra: None) -> None:
    written(f"{HEAD}workers: 77\n", "notebook")
    (config,) = configurations(["experiment=notebook"]) or []
    assert config == hydras("experiment=notebook")
    assert config.workers == 15


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("workers: 3\n", "does not begin with"),
        ("# @package hydra.callbacks\ntask: {_target_: os.abort}\n", "does not begin with"),
        ("# @package _global_\n# @package hydra.callbacks\nworkers: 3\n", "does not begin with"),
        (HEAD + "hydra:\n  callbacks:\n    x: {_target_: os.abort}\n", "callbacks.x._target_"),
        (HEAD + "hydra:\n  launcher: {_target_: os.abort}\n", "launcher._target_"),
        (HEAD + "hydra:\n  searchpath: ['file:///tmp']\n", "sets hydra.searchpath"),
        (HEAD + "hydra:\n  job:\n    env_set: {LD_PRELOAD: x.so}\n", "sets hydra.job.env_set.LD_PRELOAD"),
        (HEAD + "hydra:\n  run: {dir: /tmp/x}\n", "sets hydra.run.dir"),
        (HEAD + "hydra:\n  sweeper:\n    params: {hydra.callbacks.x._target_: os.abort}\n", "sweeps over"),
        (HEAD + "hydra:\n  sweeper:\n    params: {+hydra.launcher._target_: os.abort}\n", "sweeps over"),
        (HEAD + "hydra:\n  sweeper:\n    params: {task.function: 'os:system'}\n", "names code by task.function"),
        (HEAD + "hydra:\n  mode: ${oc.env:HOME}\n", "another hydra.mode"),
        (HEAD + "task: {function: 'os:system'}\n", "names code by task.function"),
        (HEAD + "baseline: ${oc.env:HOME}\n", "would be evaluated"),
        (HEAD + "source: {options: {a: ['${oc.env:HOME}']}}\n", "would be evaluated"),
        (HEAD + "source: {options: {_target_: os.abort}}\n", "has the key 'source.options._target_'"),
        (HEAD + "resume: outputs\n", "goes on with another run"),
        (HEAD + "colour: red\n", "is no choice of this program"),
        (HEAD + "defaults:\n  - override /hydra/callbacks: x\n", "has the default"),
        (HEAD + "defaults:\n  - override /tf@hydra.launcher: single\n", "has the default"),
        (HEAD + "defaults:\n  - ../hydra/launcher/x\n", "has the default"),
        (HEAD + "defaults: 5\n", "defaults that are no list"),
        (HEAD + "seed: !!python/object/apply:os.abort []\n", "cannot be read"),
        (HEAD + "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c]\n", "more values"),
        (HEAD + "a: " + "[" * 5000 + "\n", "nested in more than"),
        (HEAD + "- 1\n", "is no mapping"),
        (HEAD + "seed: 2026-01-31\n", "no plain value"),
    ],
)  # fmt: skip
def test_a_preset_that_holds_more_than_choices_is_refused_before_hydra_and_by_hydra(hydra: None, text: str, why: str) -> None:
    written(text)
    for composing in (lambda word: configurations([word]), hydras):
        with pytest.raises(ConfigurationError) as refused:
            composing("experiment=mine")
        assert refused.value.key == "experiment"
        assert why in str(refused.value)


def test_nothing_else_in_the_folder_is_taken(hydra: None) -> None:
    written(HEAD + POINT)
    for name in (
        "config",
        "mode/thread",
        "mode/own",
        "hydra/launcher/rounds",
        "hydra/callbacks/x",
        "schema/config",
        "schema/mode/thread",
    ):
        path = Path("conf", f"{name}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("_target_: os.abort\nnope: 1\n")
    assert configurations(["experiment=mine"]) == [hydras("experiment=mine")]
    assert isinstance(hydras("mode=thread", "hydra/launcher=rounds"), Config)
    with pytest.raises(ConfigurationError, match="there is no such mode"):
        hydras("mode=own")


def test_what_is_no_file_of_a_presets_size_is_not_read(hydra: None) -> None:
    if sys.platform == "win32":
        pytest.skip("pipes and links of POSIX")
    folder = written("x" * 200_000, "large").parent
    os.mkfifo(folder / "pipe.yaml")
    (folder / "link.yaml").symlink_to(written(HEAD + POINT, "there").absolute())
    (folder / "odd\nname.yaml").write_text(HEAD)
    assert {"large", "there"} <= set(files_of("experiment"))
    assert not {"pipe", "odd\nname"} & set(files_of("experiment"))
    assert doc_of("experiment", "large") == ""
    for name in ("large", "link"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            hydras(f"experiment={name}")


def test_the_programs_own_folder_is_not_searched_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_presets() is None
    monkeypatch.chdir(conf_dir().parent)
    assert own_presets() is None


def test_the_words_that_find_a_preset_depend_on_where_it_is(tmp_path: Path) -> None:
    assert words_that_find(Path("conf/experiment/mine.yaml")) == ["experiment=mine"]
    assert words_that_find(tmp_path / "conf" / "experiment" / "mine.yaml") == ["experiment=mine"]
    assert words_that_find(conf_dir() / "experiment" / "mine.yaml") == ["experiment=mine"]
    assert words_that_find(Path("team/experiment/mine.yaml")) == ["--config-dir", "team", "experiment=mine"]
