"""A disk that fills up costs what was in flight: one message says what is on disk, and how to go on."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from support import small_sweep
from support.program import Program, can_be_apart
from support.small_sweep import WORDS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="limits and mounts are POSIX")]

RUN = [*small_sweep.RUN, "protocol=quick", "tracking=none"]


def limited(program: Program, most_bytes: int, *words: str) -> subprocess.CompletedProcess[str]:
    """The program where no file may be larger (RLIMIT_FSIZE)."""
    line = f"ulimit -f {most_bytes // 512}; exec {shlex.join(program.command(*words))}"
    shell = ["sh", "-c", line]
    return subprocess.run(shell, cwd=program.folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_file_that_becomes_too_large_in_the_middle_is_one_message_and_the_rest_is_measured_later(
    program: Program, kind: str
) -> None:
    # As many rounds as make result.json larger than that.
    words = [*RUN, "protocol.rounds=12", f"hydra.{kind}.dir=here", *(["-m", "workers=1"] if kind == "sweep" else [])]
    answer = limited(program, 40_960, *words)
    assert answer.returncode == 1
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 3, answer.stderr
    assert "result.json: cannot be written: it would be larger than files may be here (ulimit -f)" in lines[0]
    path = program.folder / "here" / ("0" if kind == "sweep" else "") / "result.json"
    record = json.loads(path.read_text())
    done = len(record["trials"])
    assert record["status"] == "running"
    assert done > 1
    assert f"on disk: {done} trials of 1 point, whole, in here" in lines[1]
    assert lines[2].endswith(" resume=here")
    again = program("resume=here")
    assert again.returncode == 0, again.stderr
    after = json.loads(path.read_text())
    assert (after["status"], len(after["trials"])) == ("ok", 12)
    assert after["trials"][:done] == record["trials"]


@pytest.mark.skipif(not can_be_apart("mount"), reason="takes the right to mount")
@pytest.mark.parametrize("room", ["4k", "120k"])  # for nothing at all, and for some rounds
def test_a_disk_that_is_full_is_said_from_the_start_and_in_the_middle(program: Program, room: str) -> None:
    full = program.folder / "full"
    full.mkdir()
    sweep = shlex.join(program.command(*WORDS, "protocol.rounds=6", "hydra.sweep.dir=full/sweep", "-m"))
    resume = shlex.join(program.command("resume=full/sweep"))
    script = (
        f"mount -t tmpfs -o size={room} none full && {sweep} > first.txt 2>&1; echo $?; "
        f"mount -o remount,size=100m full; test -f full/sweep/sweep.json && {resume} > second.txt 2>&1; echo $?; cp -r full/sweep kept"
    )
    apart = ["unshare", "--mount", "sh", "-c", script]
    answer = subprocess.run(apart, cwd=program.folder, capture_output=True, text=True, timeout=280, check=False)
    first = (program.folder / "first.txt").read_text()
    assert answer.stdout.split()[0] == "1", first
    assert "the disk is full" in first
    assert "Traceback" not in first
    if room == "4k":
        assert "nothing had been measured yet in full/sweep" in first
        return
    assert " resume=full/sweep" in first
    assert answer.stdout.split()[1] == "0", (program.folder / "second.txt").read_text()
    for number in ("0", "1"):
        record = json.loads((program.folder / "kept" / number / "result.json").read_text())
        assert [trial["round"] for trial in record["trials"]] == list(range(6))
        assert record["status"] == "ok"


def test_a_folder_that_is_a_file_is_said_to_be_one(program: Program) -> None:
    (program.folder / "here").write_text("")
    answer = program(*RUN, "hydra.run.dir=here")
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[0].endswith("here is no folder")
