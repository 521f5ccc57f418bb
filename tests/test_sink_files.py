"""Results in files: every mode, every format, disks that take no more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.sinks import ARRAY, IMAGES, MODES, PASSES, Ends, label, trial_of

from runner.config.options import (
    FileFormat,
    ToFile,
)
from runner.errors import SinkError
from runner.pipeline.sinks.encodings import as_npy
from runner.pipeline.sinks.file import FileDestination, FileSink
from runner.trial.supervisor import Supervisor


@pytest.mark.parametrize("mode", MODES, ids=label)
@pytest.mark.parametrize("form", list(FileFormat), ids=lambda form: form.value)
def test_every_mode_writes_each_result_of_each_pass(
    supervisor: Supervisor, tmp_path: Path, mode: Any, form: FileFormat
) -> None:
    trial = trial_of(supervisor, tmp_path, ToFile(format=form), mode=mode)
    assert trial["error"] is None, trial["error"]
    assert (trial["sink"]["sent"], trial["sink"]["received"]) == (PASSES * IMAGES, PASSES * IMAGES)
    files = [path for path in (tmp_path / "point" / "sink").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) >= trial["sink"]["bytes"] > 0
    assert {path.suffix for path in files} == {f".{form.value}"}
    assert {path.parent.name for path in files} == {f"epoch-{number:03d}" for number in range(PASSES)}
    if form is not FileFormat.tfrecord:
        assert len(files) == PASSES * IMAGES


def test_files_hold_what_the_task_made(supervisor: Supervisor, tmp_path: Path) -> None:
    for form in FileFormat:
        trial_of(supervisor, tmp_path / form.value, ToFile(format=form))
    script = """
import sys, pathlib
import numpy as np, PIL.Image
import tensorflow as tf
root = pathlib.Path(sys.argv[1])
npy = {i: np.load(root / f"npy/point/sink/epoch-002/{i:09d}.npy") for i in range(6)}
assert all(a.dtype == np.float32 and a.shape == (224, 224, 3) and abs(a.mean()) < 1e-3 and abs(a.std() - 1) < 1e-2 for a in npy.values())
for i, a in npy.items():
    png = np.asarray(PIL.Image.open(root / f"png/point/sink/epoch-002/{i:09d}.png"))
    assert np.array_equal(png, np.rint((a.astype(float) - a.min()) * (255 / (float(a.max()) - float(a.min())))))
paths = sorted(str(p) for p in (root / "tfrecord/point/sink/epoch-002").iterdir())
assert len(paths) == 2, paths  # one a thread
kinds = {k: tf.io.FixedLenFeature([], t) for k, t in (("item", tf.int64), ("dtype", tf.string), ("data", tf.string))}
kinds["shape"] = tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True)
seen = set()
for record in tf.data.TFRecordDataset(paths):  # it checks the checksums
    e = tf.io.parse_single_example(record, kinds)
    a = np.frombuffer(e["data"].numpy(), e["dtype"].numpy().decode()).reshape(e["shape"].numpy())
    assert np.array_equal(a, npy[int(e["item"])])
    seen.add(int(e["item"]))
assert seen == set(range(6)), seen
"""
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=200, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("form", list(FileFormat), ids=lambda form: form.value)
@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_file_that_is_not_as_it_was_written_fails_the_trial(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: FileFormat, damage: str
) -> None:
    check = FileDestination.check

    def check_after_damage(self: FileDestination, *arguments: Any) -> Any:
        path = min((tmp_path / "point" / "sink" / "epoch-001").iterdir())
        if damage == "lost":
            path.unlink()
        else:
            content = bytearray(path.read_bytes())
            content[-100] ^= 1
            path.write_bytes(content)
        return check(self, *arguments)

    monkeypatch.setattr(FileDestination, "check", check_after_damage)
    trial = trial_of(supervisor, tmp_path, ToFile(format=form))
    assert trial["status"] == "failed"
    says = "did not arrive: item" if damage == "lost" else "not as they were sent"
    assert says in trial["error"]["message"]
    assert "pass 1 of 3" in trial["error"]["message"]


def test_each_trial_finds_the_folder_empty(supervisor: Supervisor, tmp_path: Path) -> None:
    for _ in range(2):
        trial = trial_of(supervisor, tmp_path, ToFile())
        assert trial["error"] is None
        (tmp_path / "point" / "sink" / "epoch-000" / "000000099.npy").write_bytes(b"left over")


@pytest.mark.parametrize("phase", ["", "verify"])
def test_files_are_removed_on_request_however_the_trial_went(supervisor: Supervisor, tmp_path: Path, phase: str) -> None:
    users = tmp_path / "mine" / "letter.txt"
    users.parent.mkdir()
    users.write_text("dear all")
    for number, url in enumerate((None, str(users.parent), f"file://{users.parent}")):
        trial = trial_of(supervisor, tmp_path / str(number), ToFile(url=url, remove=True), Ends(phase))
        assert trial["status"] == ("killed" if phase else "ok")
        assert not (tmp_path / str(number) / "point" / "sink").exists()
        assert list(users.parent.iterdir()) == [users]


def test_a_point_has_a_folder_of_its_own_below_an_address(supervisor: Supervisor, tmp_path: Path) -> None:
    for number in range(2):
        assert trial_of(supervisor, tmp_path / str(number), ToFile(url=str(tmp_path / "all")))["error"] is None
    points = list((tmp_path / "all").iterdir())
    assert len(points) == 2
    assert all(len(list(path.rglob("*.npy"))) == PASSES * IMAGES for path in points)


@pytest.mark.parametrize("form", list(FileFormat), ids=lambda form: form.value)
def test_a_folder_that_cannot_be_made_fails_the_images(supervisor: Supervisor, tmp_path: Path, form: FileFormat) -> None:
    """The superuser may write everywhere, but not even he below a file."""
    (tmp_path / "file").write_text("no folder")
    trial = trial_of(supervisor, tmp_path, ToFile(format=form, url=str(tmp_path / "file" / "below")))
    assert trial["status"] == "failed"
    assert "Not a directory" in trial["error"]["message"]
    assert str(tmp_path / "file" / "below") in trial["error"]["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
@pytest.mark.parametrize("form", ["npy", "tfrecord"])
@pytest.mark.parametrize("mode", ["thread", "process"])
def test_a_disk_that_takes_no_more_leaves_no_half_file(program: Program, form: str, mode: str) -> None:
    """A limit on the size of files, under which a write ends in the middle, as on a full disk."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource

    words = [
        f"mode={mode}",
        "workers=2",
        "task=pillow",
        "images=4",
        "protocol=once",
        "tracking=none",
        "sink=file",
        f"sink.format={form}",
    ]
    answer = subprocess.run(
        program.command(*words), cwd=program.folder, capture_output=True, text=True, timeout=280, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)),
    )  # fmt: skip
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "File too large" in answer.stderr + answer.stdout, answer.stderr
    assert [path for path in program.folder.glob("outputs/runs/*/*/sink/**/*") if path.is_file()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
@pytest.mark.parametrize("url", ["null", "memory://far/away"])
def test_results_that_are_lost_with_their_file_fail_the_trial(
    program: Program, request: pytest.FixtureRequest, url: str
) -> None:
    """A TFRecord file that takes one result and then no more is dropped, and what was in it is not said to be there."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource

    scratch = Path(tempfile.mkdtemp(prefix="scratch-"))  # a short path: a socket lies in it
    request.addfinalizer(lambda: shutil.rmtree(scratch))
    words = ["workers=1", "images=4", "protocol=once", "tracking=none", "sink=file", "sink.format=tfrecord", f"sink.url={url}"]
    answer = subprocess.run(
        program.command(*words), cwd=program.folder, capture_output=True, text=True, timeout=280, check=False,
        env=os.environ | {"COLUMNS": "1000", "TMPDIR": str(scratch)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000)),
    )  # fmt: skip
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "what had been written to this file before is lost, results: 1" in answer.stderr
    assert "File too large" in answer.stderr
    assert [path for path in program.folder.glob("outputs/runs/*/*/sink/**/*") if path.is_file()] == []
    assert list(scratch.glob("sink-*")) == []


def test_a_result_that_does_not_fit_any_more_fails_alone_and_nothing_of_it_stays(tmp_path: Path) -> None:
    sink = FileSink(ToFile(url=str(tmp_path)), lambda array: array)
    sink.begin(0)
    sink.put(ARRAY, 0)
    (tmp_path / "epoch-000" / "000000001.npy").mkdir()  # what cannot be replaced by a file
    with pytest.raises(SinkError, match=r"cannot write .*000000001\.npy: Is a directory"):
        sink.put(ARRAY, 1)
    sink.put(ARRAY, 2)
    assert sink.end().count == 2
    assert sorted(path.name for path in (tmp_path / "epoch-000").iterdir()) == [f"{item:09d}.npy" for item in range(3)]
    assert (tmp_path / "epoch-000" / "000000002.npy").read_bytes() == as_npy(ARRAY)
