"""The host's lock: shared by all users of the host, and nothing that another user puts anywhere is followed, changed or believed."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import ConfigurationError
from runner.host.lock import LOCK_DIR, host_lock
from runner.modes.ray.temporary_folder import TemporaryFolder, remove_abandoned

NAME = "image-pipeline-runner.lock"
NOBODY = 65534

# Another program: takes the lock that its environment names, says so, and holds it until its input ends. As another user, where it is
# given one: only then, since that user may have no way to this Python's folders.
HOLDS = """
import os, sys
from runner.host.lock import host_lock
for user in map(int, sys.argv[1:]):
    os.umask(0o077)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
with host_lock(print, 0):
    print("held", flush=True)
    sys.stdin.read()
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
two_users = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root may start a program as another user"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the lock that all may write, as /tmp is."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for above in (tmp_path, *tmp_path.parents):
        if above.name.startswith(("pytest-", "popen-", "test_")):
            above.chmod(above.stat().st_mode | 0o055)
    monkeypatch.setenv(LOCK_DIR, str(shared))
    return shared


class Other:
    """A program that holds the lock."""

    def __init__(self, *user: int) -> None:
        words, pipe = [sys.executable, "-c", HOLDS, *map(str, user)], subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd="/")
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        self.said = self.process.stdout.readline() if ready else "nothing"

    def end(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture
def other(folder: Path) -> Iterator[Other]:
    other = Other()
    assert other.said == "held\n"
    yield other
    other.end()


def test_a_wait_says_for_whom_and_ends(other: Other) -> None:
    told: list[str] = []
    with pytest.raises(ConfigurationError) as refused, host_lock(told.append, 0.01):
        pass
    assert len(told) == 1
    for message in (told[0], str(refused.value)):
        assert re.search(rf"pid {other.process.pid} of \S+, started 20\d\d-", message) or sys.platform != "linux"
    assert str(refused.value).startswith("host.wait_s=0.01: another run is still measuring on this host")


def test_the_lock_is_free_when_its_holder_has_ended(other: Other) -> None:
    told: list[str] = []

    def end(message: str) -> None:
        told.append(message)
        other.end()

    with host_lock(end, 60):
        pass
    assert len(told) == 1


@two_users
@pytest.mark.parametrize("first", ["root", "nobody"])
def test_two_users_wait_for_each_other(folder: Path, first: str) -> None:
    users = {"root": (), "nobody": (NOBODY,)}
    holder, second = Other(*users.pop(first)), Other(*users.popitem()[1])
    assert holder.said == "held\n"
    assert f"pid {holder.process.pid} of {first}, started" in second.said
    second.end()
    holder.end()
    assert second.process.returncode == 1  # it did not wait
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).stat().st_mode & 0o777 == 0o644


@two_users
def test_a_lock_is_shared_by_users_who_name_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCK_DIR, "")  # as if it were not there
    told: list[str] = []
    with host_lock(told.append, 600):  # until other programs of this host have ended
        second = Other(NOBODY)
        second.end()
        assert f"pid {os.getpid()} of root" in second.said


@posix
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder", "unreadable file"])
def test_what_another_user_has_put_there_is_not_touched(folder: Path, tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "profile"
    precious.write_text("mine\n")
    precious.chmod(0o600)
    there = folder / NAME
    if kind == "link":
        there.symlink_to(precious)
    elif kind == "dangling link":
        there.symlink_to(tmp_path / "new")
    elif sys.platform == "win32":
        pytest.skip("POSIX only")
    elif kind == "pipe":
        os.mkfifo(there)
    elif kind == "folder":
        there.mkdir()
    else:
        if os.geteuid() == 0:
            pytest.skip("root reads everything")
        there.touch(0o000)
    with pytest.raises(ConfigurationError, match=f"{LOCK_DIR}="), host_lock(pytest.fail, 0):
        pass
    assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("mine\n", 0o600)
    assert sorted(path.name for path in folder.iterdir()) == [NAME]
    assert not (tmp_path / "new").exists()


@posix
def test_without_a_folder_named_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audited: no file is opened for writing, made, or has its mode changed."""
    monkeypatch.setenv(LOCK_DIR, "")  # as if it were not there
    audited = (
        "import os, sys\nfrom runner.host.lock import host_lock\ndone = []\n"
        "def see(event, words):\n"
        "    writes = event == 'open' and isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)\n"
        "    if writes or event in {'os.chmod', 'os.mkdir', 'os.rename', 'os.link', 'os.symlink', 'os.remove'}:\n"
        "        done.append((event, words))\n"
        "sys.addaudithook(see)\n"
        "with host_lock(lambda _: None, 600):\n    pass\nprint(done)\n"
    )
    answer = subprocess.run([sys.executable, "-c", audited], capture_output=True, text=True, check=True, timeout=280)
    assert answer.stdout == "[]\n"


@posix
def test_rays_folder_is_open_to_no_other_user_and_only_ones_own_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp" if len(str(tmp_path)) > 19 else str(tmp_path))
    kept = TemporaryFolder.made()
    outer = kept.path.parent
    kept.path.chmod(0o777)  # as Ray does
    precious = tmp_path / "precious"
    precious.mkdir()
    link = outer.with_name("runner-ray-linked")
    link.symlink_to(precious)
    try:
        assert outer.stat().st_mode & 0o777 == 0o700
        remove_abandoned()
        assert (kept.path.is_dir(), precious.is_dir(), link.is_symlink()) == (True, True, True)
        assert list(precious.iterdir()) == []
    finally:
        link.unlink()
        kept.remove()
    assert not outer.exists()
