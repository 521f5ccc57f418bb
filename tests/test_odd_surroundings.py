"""Terminals, streams, folders and systems that are not as one would have them: a message or a substitute, never a lost result."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.program import Program, compiled
from support.records import OLD

from runner.display.console import print_where_tracked
from runner.errors import ConfigurationError
from runner.files import check_folder
from runner.host.flock import file_lock
from runner.tracking.connection import connect
from runner.tracking.store import database_file, database_uri

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="takes a shell")

ONCE = ("protocol=once", "tracking=none", "task=pillow", "images=2", "workers=1", "hydra.run.dir=outputs/x")


def shell(folder: Path, command: str, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A shell's command; ``"$@"`` in it is the program with these words."""
    program = [sys.executable, "-m", "runner", *words]
    env = os.environ | environment
    return subprocess.run(
        ["/bin/sh", "-c", command, "sh", *program], cwd=folder, env=env, capture_output=True, timeout=200, check=False
    )


def status_of(folder: Path) -> str:
    return str(json.loads((folder / "outputs" / "x" / "result.json").read_text())["status"])


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_characters_that_an_encoding_lacks_are_replaced(tmp_path: Path, encoding: str) -> None:
    answer = shell(tmp_path, '"$@" | cat', *ONCE, PYTHONIOENCODING=encoding)
    assert answer.stderr == b""
    assert "CPU usage: " in answer.stdout.decode(encoding)
    assert " -> " in answer.stdout.decode(encoding)
    assert status_of(tmp_path) == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_costs_no_result(tmp_path: Path, closed: str) -> None:
    answer = shell(tmp_path, f'"$@" {closed}', *ONCE)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert status_of(tmp_path) == "ok"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes /dev/full")
def test_output_that_cannot_be_written_is_said_with_the_place_of_the_record(tmp_path: Path) -> None:
    answer = shell(tmp_path, '"$@" >/dev/full', *ONCE)
    assert answer.returncode == 1
    assert answer.stderr.decode().splitlines() == [
        "standard output cannot be written: No space left on device",
        "  all of it is recorded in outputs/x",
    ]
    assert status_of(tmp_path) == "ok"
    elsewhere = [word.replace("outputs/x", "outputs/y") for word in ONCE]
    assert shell(tmp_path, '"$@" 2>/dev/full', *elsewhere).returncode == 0


def test_a_folder_for_results_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, reason in (
        ("file", "file is no folder"),
        ("link", "link is a link to nowhere"),
        ("file/a/b", "file is no folder"),
    ):
        with pytest.raises(ConfigurationError, match=f"outputs={tmp_path / name}: {tmp_path}/{reason}"):
            check_folder("outputs", tmp_path / name)
    check_folder("outputs", tmp_path / "new" / "ones")


def test_a_folder_that_this_user_may_not_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("an administrator may write anywhere")
    with pytest.raises(ConfigurationError, match="cannot be written to by this user"):
        check_folder("outputs", tmp_path / "outputs")


@pytest.mark.parametrize("words", [(), ("workers=1,2", "-m")])
def test_outputs_that_is_a_file_is_refused_before_anything_is_measured(
    tmp_path: Path, program: Program, words: tuple[str, ...]
) -> None:
    (tmp_path / "outputs").write_text("mine")
    answer = program(*ONCE[:-1], *words)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 2
    assert f"{tmp_path}/outputs is no folder" in answer.stderr
    assert (tmp_path / "outputs").read_text() == "mine"


@pytest.mark.slow
def test_a_current_folder_that_is_gone_is_said_in_words(tmp_path: Path) -> None:
    answer = shell(tmp_path, 'mkdir gone && cd gone && rmdir ../gone && "$@"', *ONCE)
    assert answer.returncode == 1
    assert answer.stderr.decode().startswith("the current folder cannot be used: No such file or directory\n")


@pytest.mark.slow
def test_a_file_system_without_locks_is_gone_on_with(tmp_path: Path) -> None:
    library = compiled("no_locks.c", tmp_path / "no_locks.so")
    words = (*ONCE, "source=synthetic", "source.count=1", "source.width=16", "source.height=16")
    answer = shell(tmp_path, '"$@"', *words, LD_PRELOAD=str(library))
    assert answer.returncode == 0, answer.stderr.decode()
    assert status_of(tmp_path) == "ok"


def test_that_there_are_no_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    library = compiled("no_locks.c", tmp_path / "no_locks.so")
    code = (
        "from pathlib import Path; from runner.host.flock import file_lock\n"
        f"with file_lock(Path({str(tmp_path / 'lock')!r}), tell=print): print('in it')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"LD_PRELOAD": str(library)}, capture_output=True, text=True, check=True
    )
    assert (
        answer.stdout
        == f"{tmp_path}: its file system has no locks, so two programs that write there at the same time are not kept apart\nin it\n"
    )
    with file_lock(tmp_path / "lock", tell=said.append):
        assert said == []


@pytest.mark.parametrize("name", ["it's", "feature%2Fbranch", "quest?ion", "per%cent", "a#b", 'a"b'])
def test_a_store_lies_in_the_folder_it_was_started_in_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from sqlalchemy.engine import make_url

    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert make_url(database_uri()).database == str(tmp_path / name / "outputs" / "mlflow.db")
    assert database_file(database_uri()) == tmp_path / name / "outputs" / "mlflow.db"


@pytest.mark.slow
def test_a_record_is_logged_from_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's 100%2F? odd"
    folder.mkdir()
    record = next(path.parent for path in sorted(OLD.rglob("sweep.json")))
    answer = shell(folder, '"$@"', "sync", str(record))
    assert answer.returncode == 0, answer.stderr.decode()
    assert (folder / "outputs" / "mlflow.db").is_file()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="takes a file system on which any bytes are a name")
def test_a_folder_whose_name_is_no_text_can_be_measured_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    folder.mkdir()
    answer = shell(folder, '"$@"', *ONCE)
    assert answer.returncode == 0, answer.stderr
    assert status_of(folder) == "ok"
    monkeypatch.chdir(folder)
    with pytest.raises(Exception, match="MLflow takes no folder whose name is not UTF-8"):
        connect(None, "any")


@pytest.mark.slow
def test_a_user_without_a_home_and_without_an_entry_can_measure_and_log(tmp_path: Path) -> None:
    library = compiled("no_user.c", tmp_path / "no_user.so")
    words = [word for word in ONCE if word != "tracking=none"]
    answer = shell(tmp_path, 'unset HOME; exec "$@"', *words, "mode=sequential,thread", "-m", LD_PRELOAD=str(library))
    said = answer.stderr.decode()
    assert (answer.returncode, "Traceback" in said) == (0, False), said
    assert b"In MLflow: " in answer.stdout, said
    answer = shell(tmp_path, 'unset HOME; exec "$@"', *ONCE, "source=file", "source.path=~/a.jpg", LD_PRELOAD=str(library))
    assert answer.stderr.startswith(b"source.path=")
    assert b"/a.jpg: does not exist\n" in answer.stderr


@pytest.mark.parametrize("on_path", [True, False])
def test_the_command_that_is_named_works_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, on_path: bool
) -> None:
    folder = str(Path(sys.executable).parent)
    others = [part for part in os.environ["PATH"].split(os.pathsep) if part != folder]
    monkeypatch.setenv("PATH", os.pathsep.join([*([folder] if on_path else []), *others]))
    print_where_tracked(None)
    said = capsys.readouterr().out.replace("\n", " ")
    words = shlex.split(said.partition(": ")[2].partition(" shows it")[0])
    assert (words[0] == "runner") is (on_path and shutil.which("runner") is not None)
    assert words[-1] == "ui"
    answer = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "MLflow" in answer.stdout
