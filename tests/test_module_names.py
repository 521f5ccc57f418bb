"""Files of the current folder are not taken for modules of Python, of a package or of this program; the user's own code is found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import ROOT
from support.program import Program

pytestmark = pytest.mark.slow

RUN = ["task=pillow", "workers=2", "images=2", "protocol=once", "tracking=none", "monitor=off"]
SHADOW = "raise ImportError('a file of the user, taken for a module')\n"
_CONSOLE_SCRIPT = """import sys
sys.path[0] = {root!r}
from runner.commands.dispatch import main
if __name__ == "__main__":
    main()
"""


def shadowed(folder: Path, *names: str) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(SHADOW)


@pytest.mark.parametrize(
    "words", [["mode=thread"], ["mode=process"], ["mode=process", "mode.start_method=spawn"], ["mode=process", "mode.start_method=forkserver"], ["mode=loky"]]
)  # fmt: skip
def test_python_m_runner_takes_none_of_them(program: Program, words: list[str]) -> None:
    shadowed(program.folder, "random", "code", "numpy", "socket", "PIL", "hydra", "queue", "struct", "tempfile")
    answer = program.cold(*RUN, *words)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""


def test_the_console_script_runs_beside_a_file_with_its_own_name(program: Program) -> None:
    shadowed(program.folder, "runner", "random", "hydra_plugins")
    script = program.folder.parent / "console_script.py"
    script.write_text(_CONSOLE_SCRIPT.format(root=str(ROOT)))
    words = [sys.executable, str(script), *RUN, "mode=process"]
    answer = subprocess.run(words, cwd=program.folder, capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0, answer.stderr


def test_a_function_of_the_users_own_in_the_current_folder_is_found_all_the_same(program: Program) -> None:
    shadowed(program.folder, "random", "numpy")
    (program.folder / "mine.py").write_text("def go(data):\n    return data[:4]\n")
    answer = program.cold("task=function", "task.function=mine:go", *RUN[1:], "mode=process", "hydra.run.dir=here")
    assert answer.returncode == 0, answer.stderr
    assert json.loads((program.folder / "here" / "result.json").read_text())["status"] == "ok"
