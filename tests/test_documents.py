"""README, CONTRIBUTING and the pages of docs/: each command in them is run as it stands there, and what is generated is up to date."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from support.documents import PAGES, Call, blocks, run_page
from support.paths import ROOT
from support.photos import photo
from support.program import Program

from runner.commands import dispatch
from runner.config import check, rules
from runner.config.compose import composed
from runner.config.early import refuse_early
from runner.config.registry import GROUPS
from runner.errors import ConfigurationError
from runner.record.field_tables import field_tables

LANGUAGES = {"sh", "console", "python", "yaml", "ini", "html", "text"}
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# What a reader of any page has: photographs, a sweep, and a run; what they measured is soon measured.
_SWEEP, _RUN = (f"outputs/{kind}/2026-01-31/12-00-00-000000" for kind in ("sweeps", "runs"))
_LIGHT = ("source=folder", "source.path=photos", "task=pillow", "images=4", "workers=2", "protocol.epochs=1")


def of_page(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def what_a_reader_has(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    for number in range(3):
        photo(folder / "photos" / f"{number}.jpg", (320, 240))
    activate = folder / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    program = Program(folder)
    for words in (
        ("mode=thread,process", "protocol.rounds=6", "tracking=none", f"hydra.sweep.dir={_SWEEP}", "-m"),
        ("protocol=once", f"hydra.run.dir={_RUN}"),
    ):
        done = program(*_LIGHT, *words)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="takes Bash, and fork")
@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_the_commands_of_a_page_do_in_its_order_what_they_say(
    page: Path, what_a_reader_has: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reader"
    shutil.copytree(what_a_reader_has, folder)
    for block in blocks(page):
        if block.file is not None:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
    program = Program(folder)
    monkeypatch.setattr(rules, "allowed_cpus", lambda: tuple(range(64)))
    went_wrong: list[str] = []

    def answer(call: Call) -> subprocess.CompletedProcess[str]:
        try:
            if call.marker == "composed only" or call.name == "pip":
                check_only(call)
                return subprocess.CompletedProcess(call.words, 0, "", "")
            done = run(program, call)
        except (Exception, SystemExit) as error:
            done = subprocess.CompletedProcess(call.words, 1, "", f"{type(error).__name__}: {error}")
        if done.returncode:
            went_wrong.append(f"{call.name} {shlex.join(call.words)}\n{done.stdout}{done.stderr}")
        return done

    shell = run_page(blocks(page), folder, answer)
    assert not went_wrong, went_wrong[0]
    assert shell.returncode == 0, shell.stdout


def run(program: Program, call: Call) -> subprocess.CompletedProcess[str]:
    """Run it; cold where the environment decides what is found."""
    if call.name == "python" and call.words[0].endswith(".py"):  # a program that the page shows
        return subprocess.run(
            [sys.executable, *call.words], cwd=program.folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=280, check=False,
        )  # fmt: skip
    if call.python_path:
        return program.cold(*call.words, PYTHONPATH=f"{call.python_path}:{ROOT}")
    return program(*words_of(call))


def words_of(call: Call) -> list[str]:
    if call.name == "python":
        assert call.words[:2] == ["-m", "runner"], "no other module is run here"
        return list(call.words[2:])
    return list(call.words)


def check_only(call: Call) -> None:
    """Compose every configuration that the call would run, or parse the words of a command."""
    if call.name == "pip":
        for extra in re.findall(r"image-pipeline-runner\[(\w+)\]", " ".join(call.words)):
            assert extra in PROJECT["project"]["optional-dependencies"], f"there is no extra {extra}"
        return
    words = words_of(call)
    if words and words[0] in dispatch.VERBS:
        parser = dispatch.parser_of(words[0], import_module(f"runner.commands.{words[0]}"))
        parser.parse_intermixed_args(words[1:])
        return
    try:
        refuse_early(words)
    except ConfigurationError as error:
        if "does not exist" not in str(error):  # the paths in documents are examples
            raise
    for point in points_of([word for word in words if word != "-m"]):
        composes(point)


@functools.cache
def composes(words: tuple[str, ...]) -> None:
    check.typed(composed(words))


def points_of(words: list[str]) -> Iterator[tuple[str, ...]]:
    """Points of a sweep in which each option of a group stands at least once; numbers have been looked at before."""
    values, most = [], 1
    for one in OverridesParser.create().parse_overrides(words):
        key = one.get_key_element()
        of_key = (
            [f"{key}={value}" for value in one.sweep_string_iterator()] if one.is_sweep_override() else [str(one.input_line)]
        )
        values.append(of_key)
        most = max(most, len(of_key) if key in GROUPS else 1)
    for number in range(most):
        yield tuple(of_key[number % len(of_key)] for of_key in values)


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_each_block_says_its_language_and_each_that_is_not_run_a_reason(page: Path) -> None:
    found = blocks(page)
    assert {block.language for block in found} <= LANGUAGES
    marked = re.findall(
        r"^<!-- (?:not run|composed only)",
        re.sub(r"^```html$.*?^```$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL),
        re.MULTILINE,
    )
    assert len(marked) == sum(block.marker is not None for block in found)


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_what_a_page_shows_of_a_terminal_is_what_is_printed(page: Path, program: Program) -> None:
    for block in blocks(page):
        if block.language == "console":
            command, _, printed = block.text.partition("\n")
            done = program(*shlex.split(command.removeprefix("$ runner ")))
            assert done.stdout + done.stderr == printed


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_target_of_make_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    code = re.findall(r"`([^`\n]+)`", TEXTS[page]) + [line for block in blocks(page) for line in block.text.splitlines()]
    named = {target for line in code for target in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_benchmark_that_a_page_names_exists_and_has_the_flags(page: Path) -> None:
    for name, words in re.findall(r"benchmarks/(\w+\.py)([^`\n#]*)", TEXTS[page]):
        script = (ROOT / "benchmarks" / name).read_text(encoding="utf-8")
        for flag in re.findall(r"--[\w-]+", words):
            assert f'"{flag}"' in script, f"{name} has no {flag}"


def test_the_readme_is_short() -> None:
    assert len(TEXTS[ROOT / "README.md"].splitlines()) <= 150


def test_the_page_of_every_field_is_made_from_the_schemas() -> None:
    assert TEXTS[ROOT / "docs" / "record-fields.md"] == field_tables(), "make table writes it"


def test_the_drawing_of_the_layers_has_each_of_them_in_their_order() -> None:
    drawing = (ROOT / "docs" / "images" / "layers.svg").read_text(encoding="utf-8")
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [name.strip().removeprefix("runner.") for floor in contract["layers"] for name in floor.split("|")]
    assert re.findall(r'font-weight="600"[^>]*>([^<]+)<', drawing) == [name for name in layers if name != "__main__"]
