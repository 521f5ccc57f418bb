"""The code blocks of the documents, and a shell in which their commands are run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.paths import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(
    r'(?:<!-- (?P<marker>not run|composed only): (?P<reason>\S.*?) -->\n+)?^```(?P<language>\w*)(?: title="(?P<file>[^"]+)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: what is written after the fence; "" where nothing is.
        text: what is in it.
        marker: "not run" or "composed only", where the comment before it says so, otherwise None.
        file: the path that its title names, where it is the content of a file.
    """

    language: str
    text: str
    marker: str | None
    file: str | None


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(one["language"], one["text"], one["marker"], one["file"]) for one in found]


@dataclass(frozen=True)
class Call:
    """A call of one of this program's commands in a block.

    Attributes:
        name: ``runner``, ``python`` or ``pip``.
        words: what follows it.
        python_path: what ``PYTHONPATH`` was for it alone; "" where nothing.
        marker: of the block.
    """

    name: str
    words: Sequence[str]
    python_path: str
    marker: str | None


# Bash does what it always does; these commands are answered by the test.
_FUNCTIONS = """
set -euo pipefail
ask() {
  printf '%s\\0' "$#" "$MARKER" "${PYTHONPATH-}" "$@" >&"$ASK"
  read -r status <&"$ANSWER"
  cat "$SAID"
  return "$status"
}
"""
ANSWERED = ("runner", "python", "pip")


def run_page(
    page: Sequence[Block], folder: Path, answer: Callable[[Call], subprocess.CompletedProcess[str]]
) -> subprocess.CompletedProcess[str]:
    """Run the shell blocks of a page in one shell, so that they build on each other; those that are not to be run are left out."""
    functions = "".join(f'{name}() {{ ask {name} "$@"; }}\n' for name in ANSWERED)
    script = _FUNCTIONS + functions
    for block in page:
        if block.language == "sh" and block.marker != "not run":
            script += f"MARKER='{block.marker or ''}'\n{block.text}\n"
    said, shown = folder / ".said", folder / ".shown"
    (ask_read, ask), (answered, answer_write) = os.pipe(), os.pipe()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"ASK": str(ask), "ANSWER": str(answered), "SAID": str(said)}
    with shown.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],  # noqa: S607  (any Bash will do)
            cwd=folder,
            env=environment,
            pass_fds=(ask, answered),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    os.close(ask)
    os.close(answered)
    with os.fdopen(ask_read, "rb") as asked, os.fdopen(answer_write, "w") as answers:
        for call in _calls(asked):
            completed = answer(call)
            said.write_text(completed.stdout + completed.stderr, encoding="utf-8")
            answers.write(f"{completed.returncode}\n")
            answers.flush()
    return subprocess.CompletedProcess(["bash"], shell.wait(60), shown.read_text(encoding="utf-8"))


def _calls(asked: IO[bytes]) -> Iterator[Call]:
    """The calls as the shell makes them, until it ends."""
    texts = _texts(asked)
    for count in texts:
        marker, python_path, name, *words = (next(texts) for _ in range(int(count) + 2))
        yield Call(name, words, python_path, marker or None)


def _texts(asked: IO[bytes]) -> Iterator[str]:
    text = b""
    while byte := asked.read(1):
        if byte == b"\0":
            yield text.decode()
            text = b""
        else:
            text += byte
