"""``python=``: what is no interpreter, or lacks what a trial would import, is refused before the first trial."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from support.points import point
from support.program import Program

from runner.config.options import Loky, Pillow
from runner.errors import ConfigurationError
from runner.host.interpreters import interpreter
from runner.sweeps.other_code import surroundings_of

if sys.platform == "win32":
    pytest.skip("links, and an interpreter in bin/", allow_module_level=True)


def test_an_environment_without_what_the_task_needs_is_refused_before_the_sweep(
    program: Program, pillow_here: Path, no_pillow: Path
) -> None:
    words = ["task=pillow", "workers=2", "images=4", "protocol=once", "tracking=none"]
    answer = program(*words, f"python={pillow_here},{no_pillow}", "-m")
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"python={no_pillow}: lacks Pillow",
        "  accepted: the path of an interpreter of Python 3.11 or later with Pillow: PATH -m pip install pillow",
    ]
    assert not list(program.folder.glob("outputs/**/result.json"))


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [({"mode": Loky()}, "lacks joblib"), ({}, "lacks TensorFlow")],
    ids=["mode=loky", "task=tensorflow"],
)
def test_what_a_mode_or_another_task_needs_is_asked_for_too(
    tmp_path: Path, pillow_here: Path, changes: dict[str, Any], lacks: str
) -> None:
    changes = {"python": str(pillow_here), **({"task": Pillow()} if changes else {}), **changes}
    with pytest.raises(ConfigurationError, match=lacks):
        surroundings_of(point(tmp_path, **changes).config)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("", "cannot be executed"),
        ("#!/bin/sh\nexit 3\n", "is no Python that can be used: ended with status 3"),
        ("#!/bin/sh\necho 'no such thing' >&2; exit 1\n", "is no Python that can be used: no such thing"),
        (
            "#!/bin/sh\necho 'is Python 3.9.2' >&2; exit 1\n",
            "is Python 3.9.2\n  accepted: the path of an interpreter of Python 3.11",
        ),
        ("\x7fELF no program", "cannot be executed: Exec format error"),
    ],
)
def test_what_is_no_interpreter_is_refused_with_what_would_be(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "python"
    if content is not None:
        path.write_text(content)
        path.chmod(0o755 if content else 0o644)
    with pytest.raises(ConfigurationError) as refused:
        interpreter(str(path), ())
    assert f"python={path}: {said}" in str(refused.value)


def test_a_command_is_looked_for_as_a_shell_does_and_never_in_the_current_folder(
    tmp_path: Path, pillow_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(pillow_here.parent))
    assert interpreter("python", ()).path == str(pillow_here)
    (tmp_path / "here").write_text("#!/bin/sh\n")
    (tmp_path / "here").chmod(0o755)
    with pytest.raises(ConfigurationError, match="python=here: does not exist"):
        interpreter("here", ())
