"""Words that a shell completes: from the register, and in real shells."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.commands.completion import SHELLS
from runner.commands.completion.suggestions import suggested
from runner.commands.completion.verbs import verbs, verbs_text
from runner.commands.dispatch import VERBS, dispatch
from runner.config.registry import GROUPS, KEYS, files_of, options

# The program of the environment that tests run in, as a function; that is also what the scripts tell who types python -m runner.
_PROGRAM = shlex.join([sys.executable, "-m", "runner"])


def words(*line: str) -> list[str]:
    return [one.word for one in suggested(["runner", *line]).words]


def shell(name: str) -> str:
    """The path of a shell; skips the test where it is not installed."""
    path = shutil.which(name)
    if path is None or sys.platform == "win32":
        pytest.skip(f"{name} is not installed")
    return path


def test_the_words_of_the_commands_are_those_of_their_parsers() -> None:
    assert verbs_text() == verbs_text.__globals__["_PATH"].read_text(encoding="utf-8"), "make table writes it anew"
    assert list(verbs()) == list(VERBS)


def test_a_line_begins_with_a_command_or_a_choice() -> None:
    found = words("")
    assert {"run", *VERBS} <= set(found)
    assert {f"{group}=" for group in GROUPS} | {"experiment=", "workers=", "host.wait_s="} <= set(found)
    assert {key for key in KEYS if not any(word.startswith((f"{key}=", f"{key}.")) for word in found)} == set()
    assert words("mode=thread", "comp") == ["compare_hosts="]  # no command in the middle of a line
    assert words("run", "comp") == ["compare_hosts="]


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_its_options_and_an_option_its_fields(group: str) -> None:
    assert words(f"{group}=") == [f"{group}={name}" for name in options()[group]]
    for name in options()[group]:
        for field in words(f"{group}={name}", f"{group}."):
            assert field.startswith(f"{group}.")
            assert field.endswith("=")
            assert field != f"{group}.name="


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["mode=process", "mode.start_method=fork"], ["mode.start_method=fork", "mode.start_method=forkserver"]),
        (["task=tensorflow", "task.execution=e"], ["task.execution=eager"]),
        (["mode=thread,process", "mode.start"], ["mode.start_method="]),
        (["mode=thread,process_p"], ["mode=thread,process_pool"]),
        (["images=a"], ["images=auto"]),
        (["fail_fast="], ["fail_fast=true", "fail_fast=false"]),
        (["objective=images_per"], ["objective=images_per_s"]),
        (["workers="], []),
        (["nonsense.x="], []),
        (["experiment=threads"], ["experiment=threads_vs_processes"]),
        (["--mul"], ["--multirun"]),
        (["--cfg", ""], ["job", "hydra", "all"]),
        (["recommend", "--b"], ["--by"]),
        (["recommend", "--by", "l"], ["latency"]),
        (["doctor", "--"], ["--help", "--strict", "--json"]),
        (["completion", ""], list(SHELLS)),
        (["compare", "mode="], []),
        (["diagnose", "skip="], ["skip=none", "skip=fetch", "skip=preparation"]),
    ],
)  # fmt: skip
def test_a_word_goes_on_with_what_is_accepted(line: list[str], found: list[str]) -> None:
    assert words(*line) == found


@pytest.mark.parametrize(
    ("line", "files"),
    [
        (["source=folder", "source.path="], True), (["resume="], True), (["workers="], False), (["recommend", ""], True),
        (["recommend", "--preset", ""], True), (["recommend", "--by", ""], False), (["ui", ""], False), (["diagnose", ""], False),
        (["rerun", ""], True), (["--config-dir", ""], True),
    ],
)  # fmt: skip
def test_names_of_files_are_completed_where_one_is_expected(line: list[str], files: bool) -> None:
    assert suggested(["runner", *line]).files is files


def test_every_preset_is_among_the_words() -> None:
    assert words("experiment=") == [f"experiment={name}" for name in files_of("experiment")]


@pytest.mark.parametrize("name", SHELLS)
def test_each_shell_has_a_script_that_says_where_to_put_it(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert dispatch(["completion", name]) == 0
    script = capsys.readouterr().out
    assert f"runner completion {name} > " in script
    assert "python -m runner" in script


@pytest.mark.slow
def test_nothing_heavy_is_loaded_to_complete_a_word() -> None:
    code = (
        "import sys; from runner.commands.dispatch import dispatch; dispatch(['completion', 'bash', ':runner', ':mode=thr'])\n"
        "sys.exit(str({'hydra', 'omegaconf', 'rich', 'numpy', 'yaml'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stderr.strip() == "set()"


@pytest.mark.slow
def test_bash_completes(tmp_path: Path) -> None:
    lines = {
        "runner mode=threa": ["thread ", "thread_pool "],
        "runner mode=thread,process_": ["thread,process_pool "],
        "runner source=folder source.path=ph": ["photos"],
        "runner recommend --b": ["--by "],
        "runner recommend ph": ["photos"],
        "runner work": ["workers="],
    }
    (tmp_path / "photos").mkdir()
    script = f'runner() {{ {_PROGRAM} "$@"; }}\neval "$(runner completion bash)"\n' + "".join(
        f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_WORDS=() COMP_CWORD=0; _runner; printf '<%s>' \"${{COMPREPLY[@]}}\"; echo\n"
        for line in lines
    )
    answer = subprocess.run(
        [shell("bash"), "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert answer.stdout.splitlines() == ["".join(f"<{word}>" for word in words) for words in lines.values()]


@pytest.mark.slow
def test_fish_completes(tmp_path: Path) -> None:
    lines = {
        "runner mode=threa": ["mode=thread", "mode=thread_pool"],
        "runner recommend ph": ["photos/"],
        "runner work": ["workers="],
    }
    lines["runner source=folder source.path=ph"] = ["source.path=photos/"]
    (tmp_path / "photos").mkdir()
    script = f"function runner; {_PROGRAM} $argv; end\nrunner completion fish | source\n"
    script += "".join(f"complete -C {shlex.quote(line)}; echo\n" for line in lines)
    env = os.environ | {"HOME": str(tmp_path)}
    answer = subprocess.run(
        [shell("fish"), "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=True
    )
    shown = [[line.partition("\t")[0] for line in part.splitlines()] for part in answer.stdout.split("\n\n")]
    assert [sorted(filter(None, words)) for words in shown[: len(lines)]] == [sorted(words) for words in lines.values()]


@pytest.mark.slow
def test_zsh_completes(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    setup = f'PS1=; runner() {{ {_PROGRAM} "$@"; }}; autoload -Uz compinit && compinit -u -D; eval "$(runner completion zsh)"; print rea\'\'dy\n'
    typed = [
        (setup, "ready"),
        ("runner mode=thread_\t", "mode=thread_pool "),
        ("source=folder source.path=ph\t", "source.path=photos/"),
        (" work\t", "workers="),
    ]
    assert not missing([shell("zsh"), "-f", "-i"], typed, tmp_path)


def missing(command: list[str], typed: Sequence[tuple[str, str]], folder: Path) -> str:
    """Type texts into a program in a terminal, each when the answer to the one before is there; returns what did not come, with all that did."""
    if sys.platform == "win32":
        return "there are no such terminals"
    import pty

    terminal, inside = pty.openpty()
    program = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"TERM": "dumb", "COLUMNS": "500"}, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    )  # fmt: skip
    os.close(inside)
    try:
        for text, answer in typed:
            os.write(terminal, text.encode())
            seen, until = "", time.monotonic() + 60
            while answer not in seen:
                if not select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]:
                    return f"{answer!r} did not come after {text!r}: {seen!r}"
                seen += os.read(terminal, 65536).decode(errors="replace")
        return ""
    finally:
        program.kill()
        program.wait()
        os.close(terminal)
