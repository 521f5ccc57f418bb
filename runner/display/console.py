"""The terminal: where results, notes and errors are printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from runner.secrets import masked


class _Output(Console):
    """A console that goes on when the reader of a pipe, such as ``head``, closes it early; the rest of the output is dropped."""

    def on_broken_pipe(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console() -> Console:
    """Standard output. Where it is no terminal, such as a file, lines have up to 160 characters."""
    out = _Output(highlight=False, emoji=False)
    return out if out.is_terminal else _Output(highlight=False, emoji=False, width=160)


def print_line(text: str) -> None:
    """Print a line unchanged, however long it is."""
    console().print(text, markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error to stderr, in red if there are colours, without secrets."""
    Console(stderr=True).print(masked(message), style="red", markup=False, highlight=False, soft_wrap=True)


def print_note(message: str) -> None:
    """Print something that the user should know before the start."""
    console().print(message, style="yellow", markup=False)


def print_report_path(report: Path) -> None:
    """Print the last line of a sweep: the report to open."""
    console().print(f"[dim]To look at:[/] {escape(short(report))}")


def print_where_tracked(page: str | None) -> None:
    """Print where the runs can be seen in MLflow; ``page`` is None for the local store."""
    hint = f"{command_line('ui')} shows it" if page is None else escape(page)
    console().print(f"[dim]In MLflow:[/] {hint}")


def command_line(*words: str) -> str:
    """A command of this program that can be pasted into this shell: ``runner`` if that is on the path, otherwise ``python -m runner``."""
    script = shutil.which("runner")
    on_path = script is not None and Path(script).parent.resolve() == Path(sys.executable).parent.resolve()
    return shlex.join(["runner", *words] if on_path else [short(Path(sys.executable)), "-m", "runner", *words])


def short(path: os.PathLike[str]) -> str:
    """The path as the user would type it: relative if it is below the current folder."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith("..") else relative
