"""The terminal: where results, notes and errors are printed."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from runner.display.streams import write_to_nothing
from runner.secrets import masked

# Wide enough for any line.
_UNFOLDED = 10_000

# Whether there is anybody who reads standard output; a program that calls this one gets its results as values.
_shown: ContextVar[bool] = ContextVar("shown", default=True)

# Why standard output could not be written; None where it could.
_lost: OSError | None = None


class _Output(Console):
    """A console that goes on when its stream cannot be written: the rest of the output is dropped.

    Nothing is said where the reader of a pipe, such as ``head``, closes it early.
    """

    def print(self, *objects: Any, **how: Any) -> None:
        global _lost  # noqa: PLW0603
        try:
            super().print(*objects, **how)
        except OSError as error:
            if not self.stderr:
                _lost = error
            write_to_nothing(2 if self.stderr else 1)

    def on_broken_pipe(self) -> None:
        write_to_nothing(2 if self.stderr else 1)


@contextlib.contextmanager
def results_not_shown() -> Iterator[None]:
    """Within it, standard output gets nothing; notes go where errors do."""
    before = _shown.set(False)
    try:
        yield
    finally:
        _shown.reset(before)


def console() -> Console:
    """Standard output. Where it is no terminal, such as a file, lines are as long as they need to be."""
    quiet = not _shown.get()
    out = _Output(highlight=False, emoji=False, quiet=quiet)
    return out if out.is_terminal else _Output(highlight=False, emoji=False, width=_UNFOLDED, quiet=quiet)


def error_console() -> Console:
    """Standard error."""
    return _Output(stderr=True, highlight=False, emoji=False)


def output_was_lost() -> bool:
    """Whether standard output could not be written."""
    return _lost is not None


def print_recorded(folder: Path) -> None:
    """Print where a point or sweep is recorded; to stderr where standard output could not be written."""
    console().print(f"[dim]Recorded in[/] {escape(short(folder))}", soft_wrap=True)
    if _lost is not None:
        why = _lost.strerror or str(_lost)
        print_error(f"standard output cannot be written: {why}\n  all of it is recorded in {short(folder)}")


def print_line(text: str) -> None:
    """Print a line unchanged, however long it is."""
    console().print(text, markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error to stderr, in red if there are colours, without secrets."""
    error_console().print(masked(message), style="red", markup=False, soft_wrap=True)


def print_note(message: str) -> None:
    """Print something that the user should know before the start."""
    out = console() if _shown.get() else error_console()
    out.print(message, style="yellow", markup=False)


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
