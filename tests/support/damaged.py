"""Records with something wrong in them, and what every command makes of one, in this process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.commands import dispatch
from runner.commands.rerun import _read
from runner.config.check import typed
from runner.config.compose import composed
from runner.config.restore import choices_of
from runner.config.resume import resumed
from runner.errors import RunnerError
from runner.record.reading import PointRecord
from runner.sweeps.gathering import sweep_begun_in
from support.points import point

Verb = Callable[[Path], object]


def _command(*words: str) -> Verb:
    def run(folder: Path) -> object:
        return dispatch._run([str(folder) if word == "FOLDER" else word for word in words])

    return run


def _resumed(folder: Path) -> object:
    from runner.sweeps.resuming import restore

    if not (folder / "sweep.json").exists():
        restore(point(folder))
    return resumed([f"resume={folder}"], lambda _: None)


def _rerun(folder: Path) -> None:
    record = _read(folder)
    for one in [record] if isinstance(record, PointRecord) else record.measured:
        typed(composed(choices_of(one.record["config"])))


# Those that only read.
QUICK: dict[str, Verb] = {
    "compare": _command("compare", "FOLDER"),
    "compare --markdown": _command("compare", "FOLDER", "--markdown"),
    "recommend": _command("recommend", "FOLDER"),
    "plan": _command("plan", "FOLDER", "--images", "1e9", "--deadline", "3d"),
    "trace": _command("trace", "FOLDER"),
    "export": _command("export", "FOLDER", "--csv"),
    "verify": _command("verify", "FOLDER"),
    "report --terminal": _command("report", "FOLDER", "--terminal"),
    "resume": _resumed,
}

# Those that compose the configuration again, as far as the first process that they would start.
COMPOSING: dict[str, Verb] = {"gather": sweep_begun_in, "rerun": _rerun}

# Those that draw, or write to MLflow.
SLOW: dict[str, Verb] = {
    "report": _command("report", "FOLDER"),
    "sync": _command("sync", "FOLDER"),
}


def tracebacks(folder: Path, verbs: dict[str, Verb] = QUICK) -> dict[str, str]:
    """What each verb raised that would be a traceback for the user; one message is as it should be."""
    raised = {}
    for name, verb in verbs.items():
        try:
            with unheard():
                verb(folder)
        except RunnerError as error:
            if not str(error).strip():
                raised[name] = "nothing is said"
        except Exception as error:
            raised[name] = f"{type(error).__name__}: {error}"[:300]
    return raised


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Whatever is printed is dropped."""
    nothing = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        yield


# What stands where something else should.
VALUES: Sequence[Any] = (
    None, True, 0, -1, 1.5, 1e308, -1e-308, 2**40, 2**70, "", "x", "../..", "/tmp", "a\nb", "\x1b[2J", "${oc.env:HOME}", "\ud800", "***",
    "1" * 5000, [], [None], [[]], {}, {"a": 1}, {"name": "function", "function": "os:system"}, "ok", "failed", "running", "2026-01-01",
    float("nan"), float("inf"),
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A change to a JSON text.

    Attributes:
        place: the number of the value, in the order of the text.
        what: ``replace``, ``remove`` or ``twice``.
        value: what it is replaced by: a number in ``VALUES``.
    """

    place: int
    what: str
    value: int

    def made_to(self, path: Path) -> None:
        content = json.loads(path.read_text())
        places = list(_places(content))
        container, key = places[self.place % len(places)]
        match self.what:
            case "remove":
                del container[key]
            case "twice" if isinstance(container, list):
                container.append(container[key])
            case _:
                container[key] = VALUES[self.value % len(VALUES)]
        path.write_text(json.dumps(content), encoding="utf-8", errors="surrogatepass")


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


def _pipe(path: Path) -> None:
    path.unlink()
    if sys.platform != "win32":
        os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_version(path: Path) -> None:
    text = path.read_text(errors="replace")
    path.write_text(text.replace('"schema_version": 1', '"schema_version": 99'))


# One file of a record, as a whole.
DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "absent": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": _half,
    "zeros": lambda path: path.write_bytes(b"\0" * path.stat().st_size),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00\x80" * 50),
    "another version": _other_version,
    "a list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "a text": lambda path: path.write_text('"x"'),
    "NaN": lambda path: path.write_text('{"schema_version": NaN}'),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a folder": _folder,
} | ({} if sys.platform == "win32" else {"a pipe": _pipe, "a link": _link})


def fresh(original: Path, target: Path) -> Path:
    """A copy of a record."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    return target
