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
    """A console whose reader may close the pipe early, as ``head`` does: the rest is dropped, and the program goes on."""

    def on_broken_pipe(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console() -> Console:
    """Standard output; piped into a file there is no terminal to fit, so lines may be 160 characters long."""
    out = _Output(highlight=False, emoji=False)
    return out if out.is_terminal else _Output(highlight=False, emoji=False, width=160)


def print_line(text: str) -> None:
    """A line as it is, however long."""
    console().print(text, markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """One message for the user, in red where there is colour."""
    Console(stderr=True).print(masked(message), style="red", markup=False, highlight=False, soft_wrap=True)


def print_note(message: str) -> None:
    """One thing to know before it starts."""
    console().print(message, style="yellow", markup=False)


def print_report_path(report: Path) -> None:
    """The last line of a sweep: what to open."""
    console().print(f"[dim]To look at:[/] {escape(short(report))}")


def print_where_tracked(page: str | None) -> None:
    """Where the runs can be looked at; None for the local store."""
    hint = f"{command_line('ui')} shows it" if page is None else escape(page)
    console().print(f"[dim]In MLflow:[/] {hint}")


def command_line(*words: str) -> str:
    """A command of this program that can be pasted here: by its own name where that is on the path, otherwise by this interpreter."""
    script = shutil.which("runner")
    on_path = script is not None and Path(script).parent.resolve() == Path(sys.executable).parent.resolve()
    return shlex.join(["runner", *words] if on_path else [short(Path(sys.executable)), "-m", "runner", *words])


def short(path: os.PathLike[str]) -> str:
    """The path as the user would type it from here."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith("..") else relative
