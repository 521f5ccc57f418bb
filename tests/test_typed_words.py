"""Words as a shell hands them over: paths with any character are taken, flags may stand anywhere, and what cannot be read is shown quoted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from support.composing import composed
from support.forking_program import ForkingProgram
from support.photos import photo
from support.program import Program

from runner.config.compose import composed as composed_words
from runner.config.words import as_hydra_reads, how_to_quote
from runner.errors import ConfigurationError

ODD = ["photo (1).jpg", "a=b.jpg", "a,b.jpg", "a[1].jpg", "ü.jpg", "it's.jpg", 'say "a".jpg', "a#b&c;d!.jpg", "{a}.jpg", "a~b.jpg", "[a,b].jpg", "100%.jpg", "a\\ b'.jpg"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    photo(tmp_path / "a.jpg").rename(tmp_path / name)
    words = as_hydra_reads(["source=file", f"source.path={name}"])
    assert composed(*words).source.path == name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["photo (1).jpg", "a=b.jpg", "ü.jpg", "it's.jpg"])
def test_a_path_that_is_not_there_is_refused_as_a_path(forking: ForkingProgram, name: str) -> None:
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", "source=file", f"source.path={name}")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"source.path={name}: does not exist\n"), answer.stderr


def test_a_home_is_found_and_one_that_is_not_there_is_refused_as_a_path(
    tmp_path: Path, forking: ForkingProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "home" / "a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    from runner.pipeline.sources import images_of

    config = composed(*as_hydra_reads(["source=file", "source.path=~/a.jpg"]))
    assert images_of(config.source, 1)[0].path == str(tmp_path / "home" / "a.jpg")
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", "source=file", "source.path=~nobody-here/a.jpg")
    assert answer.stderr.startswith("source.path=~nobody-here/a.jpg: does not exist\n"), answer.stderr


def test_several_odd_paths_make_a_sweep() -> None:
    assert as_hydra_reads(["source.path=a (1),b c,d=e", "-m"]) == ["-m", "source.path='a (1)',b c,'d=e'"]


def test_of_a_sweep_with_commas_a_path_that_is_there_as_a_whole_is_one(tmp_path: Path) -> None:
    (tmp_path / "a (1),b").mkdir()
    assert as_hydra_reads(["source.path=a (1),b", "-m"]) == ["-m", "source.path='a (1),b'"]


def test_words_that_hydra_reads_are_left_as_they_were_typed() -> None:
    words = [
        "mode=thread,process",
        "source.url=[s3://a/b.jpg,http://h/c.jpg]",
        "images=${workers}",
        "task.steps=[decode]",
        "+a.b=3",
        "~source",
    ]
    assert as_hydra_reads(words) == words


@pytest.mark.parametrize("word", ["task.steps=[decode", "workers=(3", "+mine=a (1)", 'tf.intra_op=say "3"'])
def test_what_cannot_be_read_is_shown_in_quotes_that_can(forking: ForkingProgram, word: str) -> None:
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", word)
    key, _, value = word.lstrip("+").partition("=")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{key}={value}: cannot be read by Hydra as it is\n"), answer.stderr
    (pasted,) = shlex.split(answer.stderr.partition(" as in ")[2])
    assert pasted.startswith(word.partition("=")[0])
    assert how_to_quote([pasted]) is None


def test_flags_may_stand_anywhere_with_their_values(tmp_path: Path, forking: ForkingProgram) -> None:
    assert as_hydra_reads(["a=1", "--config-dir", "D", "b=2", "-c", "job", "c=3", "--info", "d=4", "-m"]) == [
        "--config-dir", "D", "-c", "job", "--info", "-m", "a=1", "b=2", "c=3", "d=4"
    ]  # fmt: skip
    (tmp_path / "D" / "experiment").mkdir(parents=True)
    (tmp_path / "D" / "experiment" / "mine.yaml").write_text("# @package _global_\nworkers: 7\n")
    words = ["mode=thread", "--config-dir", "D", "experiment=mine", "--cfg", "job"]
    answer = forking.run(tmp_path, "runner.commands.dispatch", *words)
    assert "workers: 7" in answer.stdout, answer.stderr


def test_a_preset_of_ones_own_folder_is_suggested(tmp_path: Path, forking: ForkingProgram) -> None:
    (tmp_path / "D" / "experiment").mkdir(parents=True)
    (tmp_path / "D" / "experiment" / "mine.yaml").write_text("# @package _global_\nworkers: 7\n")
    answer = forking.run(tmp_path, "runner.commands.dispatch", "experiment=mien", "--config-dir=D")
    assert answer.stderr.startswith("experiment=mien: there is no such experiment; did you mean mine?"), answer.stderr


def test_a_rerun_takes_such_paths_too(tmp_path: Path) -> None:
    photo(tmp_path / "photo (1).jpg")
    assert composed_words(["source=file", "source.path=photo (1).jpg"]).source.path == "photo (1).jpg"


def test_a_run_on_such_a_path_can_be_run_again_by_its_command(tmp_path: Path, program: Program) -> None:
    photo(tmp_path / "photo (1).jpg")
    common = ["protocol=once", "tracking=none", "task=pillow", "images=2", "workers=1"]
    answer = program(*common, "source=file", "source.path=photo (1).jpg", "hydra.run.dir=outputs/a")
    assert answer.returncode == 0, answer.stderr
    command = json.loads((tmp_path / "outputs/a/result.json").read_text())["command"]
    words = shlex.split(command.partition(" -m runner ")[2])
    again = program(*words, "hydra.run.dir=outputs/b")
    assert again.returncode == 0, again.stderr


def test_an_option_that_is_not_there_is_refused_with_its_neighbour_where_no_command_line_is_composed() -> None:
    with pytest.raises(ConfigurationError, match="did you mean thread"):
        composed_words(["mode=thraed"])
