"""Every file in conf/ is an option with a type; hashes, presets, the wheel."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from support.composing import composed
from support.forking_program import ForkingProgram
from support.modes import marks
from support.paths import ROOT
from support.program import Program

from runner.config.options import Config, Url
from runner.config.plain import config_hash, plain
from runner.config.registry import GROUPS, conf_dir, names_code, options
from runner.errors import ConfigurationError


def test_info_shows_where_the_configuration_comes_from(program: Program) -> None:
    answer = program("--info", "defaults")
    assert answer.returncode == 0
    assert "mode/thread" in answer.stdout


@pytest.mark.parametrize(
    ("group", "option"),
    [pytest.param(group, name, marks=marks(kind)) for group, kinds in options().items() for name, kind in kinds.items()],
)
def test_every_option_has_a_file_and_a_type(group: str, option: str) -> None:
    needed = {
        "source=file": "source.path=x.jpg",
        "source=folder": "source.path=x",
        "task=function": "task.function=json:loads",
        "source=url": "source.url=http://h/a.jpg",
        "source=tfrecord": "source.path=x",
        "consumer=function": "consumer.function=json:loads",
        "tracking=server": "tracking.uri=http://127.0.0.1:1",
    }
    choice = f"{group}={option}"
    words = [choice] + ([needed[choice]] if choice in needed else [])
    config = composed(*words)
    assert isinstance(getattr(config, group), options()[group][option])


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_file_is_an_option(group: str) -> None:
    assert {path.stem for path in (conf_dir() / group).glob("*.yaml")} == set(options()[group])


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_file_gives_the_defaults_of_its_type(group: str) -> None:
    """What a file says and what the code would do without it are the same, so neither is a second truth."""
    if group in {"tf", "monitor", "protocol"}:
        pytest.skip("the options of this group differ in nothing but values")
    for option, kind in options()[group].items():
        file = OmegaConf.load(conf_dir() / group / f"{option}.yaml")
        values = OmegaConf.to_container(file)
        assert isinstance(values, dict)
        for key, value in values.items():
            if key != "defaults" and value != "???":
                assert plain(getattr(kind(), str(key))) == value, f"{group}={option}: {key!s}"


@pytest.mark.parametrize(
    ("preset", "mode", "tf", "rounds"),
    [
        ("notebook", "thread", (4, 4), 1),
        ("notebook_processes", "process", (4, 4), 1),
        ("notebook_synthetic", "synthetic_process", (1, 1), 1),
    ],
)
def test_the_notebooks_presets_are_the_notebooks(preset: str, mode: str, tf: tuple[int, int], rounds: int) -> None:
    config = composed(f"experiment={preset}")
    assert (config.mode.name, config.workers, config.images) == (mode, 15, 15)
    assert (config.tf.intra_op, config.tf.inter_op) == tf
    assert (config.protocol.rounds, config.protocol.epochs, config.protocol.warmup_epochs) == (rounds, 1, 0)


def test_the_hash_tells_configurations_apart_by_what_they_measure() -> None:
    base = config_hash(composed())
    assert config_hash(composed("workers=15", "mode=thread")) == base
    assert config_hash(composed("tracking=none")) == base
    assert config_hash(composed("workers=14")) != base
    assert config_hash(composed("tf.intra_op=1")) != base


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "8fe38bd674edcd2a"),
        (["mode=sequential", "task=pillow", "source=synthetic"], "2d921bbfe07ee21e"),
        (
            ["mode=process", "workers=3", "sink=file", "seed=4", "protocol=quick", "monitor=fine", "tf=single"],
            "95ca58b9feb88848",
        ),
    ],
)
def test_the_hash_of_a_configuration_is_what_records_have(words: list[str], expected: str) -> None:
    """Records are told apart by it: of these three, some were written by the first versions of this program."""
    assert config_hash(composed("images=15", *words)) == expected


def test_the_only_fields_that_name_code_are_an_interpreter_a_commit_and_those_of_a_users_functions() -> None:
    assert names_code() == ["python", "code", "task.function", "consumer.function"]


def test_values_that_no_file_gives_are_the_defaults_of_their_fields() -> None:
    file = OmegaConf.load(conf_dir() / "config.yaml")
    assert isinstance(file, DictConfig)
    for spec in dataclasses.fields(Config):
        if spec.name not in GROUPS:
            default = (
                spec.default if spec.default_factory is dataclasses.MISSING else dataclasses.asdict(spec.default_factory())
            )
            assert file[spec.name] == plain(default), spec.name


def test_the_wheel_carries_its_configuration(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    script = (
        "import sys, runner, runner.commands.dispatch; assert runner.__file__.startswith(sys.argv[1]), runner.__file__\n"
        "sys.argv = ['runner', 'experiment=mine', 'mode=process', '--cfg', 'job']; runner.commands.dispatch.main()"
    )
    own = tmp_path / "conf" / "experiment" / "mine.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("# @package _global_\nworkers: 3\n")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r})\n{script}", str(installed)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "start_method: auto" in answer.stdout
    assert "workers: 3\n" in answer.stdout


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"client_kwargs": {"headers": [{"Cookie": "x"}]}}, "source.options.client_kwargs.headers.0.Cookie"),
        ({"connection_string": "AccountKey=x"}, "source.options.connection_string"),
        ({"passphrase": 1234}, "source.options.passphrase"),
    ],
)
def test_credentials_are_refused_however_deep_they_lie(options: Any, key: str) -> None:
    config = composed()
    with pytest.raises(ConfigurationError) as refused:
        Url(url="http://h/a.jpg", options=options).check(config)
    assert refused.value.key == key
    assert "1234" not in str(refused.value)


@pytest.mark.parametrize("words", [["images=2"], ["workers=1,2", "-m"]], ids=["run", "sweep"])
def test_a_folder_for_temporary_files_with_too_long_a_name_is_refused(forking: ForkingProgram, words: list[str]) -> None:
    """Sockets would not fit into it."""
    long = Path.cwd() / ("x" * 80)
    long.mkdir()
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", *words, TMPDIR=str(long))
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        f"TMPDIR={long}: is too long for the path of a socket in it\n  accepted: a path of at most "
    )
    assert list(Path.cwd().iterdir()) == [long]
