"""A record from somebody else is data: it has nothing contacted, imported, written, followed or removed that the user has not named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.records import OLD

from runner.errors import RunnerError
from runner.host.git import git_state
from runner.record.reading import read_point, read_sweep
from runner.tracking.content import point_content

CANARY = "hunter2-canary"
GIT = shutil.which("git") or "git"


class Contacted(BaseHTTPRequestHandler):
    """Remembers that somebody came."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        self.send_error(404)

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def elsewhere() -> Iterator[ThreadingHTTPServer]:
    """A stranger's server; ``paths`` are what it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Contacted) as server:
        server.paths = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def contacts(server: ThreadingHTTPServer) -> list[str]:
    paths: list[str] = server.paths  # type: ignore[attr-defined]
    return paths


@pytest.fixture
def sweep(program: Program) -> Path:
    """A stranger's sweep, in the folder of the program."""
    folder = program.folder / "sweep"
    shutil.copytree(OLD, folder)
    return folder


def change(path: Path, how: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    how(content)
    path.write_text(json.dumps(content))


def configure(folder: Path, **groups: dict[str, Any]) -> None:
    """Give the configuration of each point these groups."""
    for path in folder.glob("*/result.json"):
        change(path, lambda record: record["config"].update(groups))


# ------------------------------------------------------------------------------------------------------------------- sync


def test_no_token_and_no_file_goes_to_a_server_that_a_record_names(
    program: Program, sweep: Path, elsewhere: ThreadingHTTPServer
) -> None:
    configure(sweep, tracking={"name": "server", "uri": address(elsewhere), "experiment": "theirs"})
    answer = program.cold("sync", str(sweep), MLFLOW_TRACKING_TOKEN=CANARY)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert contacts(elsewhere) == []
    assert "is named by a record" in answer.stdout
    assert (program.folder / "outputs" / "mlflow.db").is_file()  # it went to the user's own store


def test_no_table_is_made_in_a_database_that_a_record_names(program: Program, sweep: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"")
    configure(sweep, tracking={"name": "server", "uri": f"sqlite:///{other}", "experiment": "theirs"})
    assert program("sync", str(sweep)).returncode == 0
    assert other.read_bytes() == b""


def test_a_link_in_a_records_folder_is_no_artifact(sweep: Path, tmp_path: Path) -> None:
    key = tmp_path / "id_rsa"
    key.write_text(CANARY)
    (sweep / "0" / "runner.log").symlink_to(key)
    (sweep / "0" / "report.html").symlink_to(key)
    point = read_point(sweep / "0")
    assert point is not None
    sent = [artifact.path for artifact in point_content(point, None).files]
    assert sent
    assert all(CANARY not in path.read_text(errors="replace") for path in sent if path.is_file())


# ----------------------------------------------------------------------------------------------------- names, ids, folders


@pytest.mark.parametrize("folder", ["../../x", "/etc", "..", "0/../../x"])
def test_a_points_folder_outside_of_its_sweep_is_refused(sweep: Path, folder: str) -> None:
    change(sweep / "sweep.json", lambda content: content["points"][0].update(folder=folder))
    with pytest.raises(RunnerError):
        read_sweep(sweep)


def test_a_points_folder_that_is_a_link_is_refused(sweep: Path, tmp_path: Path) -> None:
    shutil.move(sweep / "0", tmp_path / "far")
    (sweep / "0").symlink_to(tmp_path / "far")
    with pytest.raises(RunnerError, match="is a link"):
        read_sweep(sweep)


@pytest.mark.parametrize("key", ["id", "name"])
@pytest.mark.parametrize("value", ["../..", "a\nhydra:\n  callbacks: {}", "\x1b[2J", "a/b"])
def test_an_id_that_climbs_and_a_name_that_a_terminal_would_obey_are_refused(sweep: Path, key: str, value: str) -> None:
    if key == "name" and value in {"../..", "a/b"}:
        pytest.skip("a name may have these: it is no path")
    change(sweep / "0" / "result.json", lambda content: content.update({key: value}))
    with pytest.raises(RunnerError):
        read_point(sweep / "0")


# ------------------------------------------------------------------------------------------------ gather, resume and rerun


def test_a_value_of_a_record_is_not_evaluated(program: Program, sweep: Path) -> None:
    word = "tracking.experiment='${oc.env:AWS_SECRET_ACCESS_KEY}'"
    change(sweep / "sweep.json", lambda content: content["points"][0]["overrides"].append(word))
    answer = program.cold("gather", str(sweep), AWS_SECRET_ACCESS_KEY=CANARY)
    assert answer.returncode == 1
    assert "would be evaluated" in answer.stderr
    written = [path for path in program.folder.rglob("*") if path.is_file()]
    assert all(CANARY.encode() not in path.read_bytes() for path in written)
    assert CANARY not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("group", "option", "kind"),
    [
        ("task", {"name": "function", "function": "os:system"}, "import"),
        ("sink", {"name": "http", "url": "{address}/take"}, "contact"),
        ("source", {"name": "url", "url": "{address}/a.jpg"}, "contact"),
        ("mode", {"name": "ray", "address": "ray://127.0.0.1:1"}, "contact"),
        ("sink", {"name": "file", "url": "{folder}/mine"}, "write"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_a_rerun_does_nothing_outside_its_folder_unless_it_is_allowed(
    sweep: Path, elsewhere: ThreadingHTTPServer, group: str, option: dict[str, str], kind: str
) -> None:
    program = Program(sweep.parent)
    filled = {key: value.format(address=address(elsewhere), folder=sweep.parent) for key, value in option.items()}
    configure(sweep, **{group: filled})
    answer = program("rerun", str(sweep / "0"))
    assert answer.returncode == 1
    assert "without permission" in answer.stderr
    assert f"--allow {kind}" in answer.stderr
    assert contacts(elsewhere) == []
    assert not (sweep.parent / "mine").exists()


@pytest.mark.parametrize("protocol", ["filecache", "simplecache", "blockcache", "reference"])
def test_an_address_of_a_record_that_would_write_or_evaluate_is_refused(
    program: Program, sweep: Path, elsewhere: ThreadingHTTPServer, protocol: str
) -> None:
    url = f"{protocol}::{address(elsewhere)}/a.jpg" if protocol != "reference" else "reference://a.jpg"
    configure(sweep, source={"name": "url", "url": url})
    answer = program("rerun", str(sweep / "0"), "--allow", "contact")
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    assert contacts(elsewhere) == []


# -------------------------------------------------------------------------------------------------------- the folder around


@pytest.mark.skipif(shutil.which("git") is None, reason="takes git")
def test_a_program_that_a_work_tree_names_is_not_run_to_ask_for_its_state(tmp_path: Path) -> None:
    note, spy = tmp_path / "note", tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {note}\ncat\n")
    spy.chmod(0o755)
    tree = tmp_path / "tree"
    tree.mkdir()
    named = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*named, "commit", "-qm", "one"]):
        (tree / "a.txt").write_text("one\n")
        subprocess.run([GIT, *words], cwd=tree, check=True)
    for words in (["core.fsmonitor", str(spy)], ["filter.x.clean", str(spy)]):
        subprocess.run([GIT, "config", *words], cwd=tree, check=True)
    (tree / ".gitattributes").write_text("* filter=x\n")
    (tree / "a.txt").write_text("two\n")
    state = git_state(tree)
    assert state is not None
    assert state["dirty"]
    assert not note.exists()


def test_modules_that_lie_in_the_current_folder_are_not_taken(program: Program, sweep: Path) -> None:
    for name in ("psutil.py", "random.py", "omegaconf.py", "hydra_plugins/theirs.py", "runner_plugins/mode/theirs.py"):
        path = program.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("open('has_run', 'w').close()\n")
    words = ["mode=process", "workers=2", "images=2", "task=pillow", "protocol=once", "tracking=none"]
    for command in (["compare", str(sweep)], words):
        environment = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
        answer = program.cold(*command, **environment)
        assert answer.returncode == 0, answer.stderr
    assert not (program.folder / "has_run").exists()
