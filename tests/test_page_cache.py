"""source.cache: what is in the page cache before an epoch, by what the kernel says."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.made_records import known
from support.points import Silent, point
from support.trials import Trials

from runner.analysis.warnings import of_point
from runner.config.options import Cache, Folder, Process, Protocol, Sample, Thread
from runner.host.page_cache import resident_bytes
from runner.pipeline.sources import images_of
from runner.sweeps.session import Session
from runner.trial.messages import TrialPlan
from runner.trial.page_cache import CachePlan, PageCache
from runner.trial.supervisor import Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at the page cache as Linux shows it")

SIZE = 3_000_000


def file_system(path: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    if file_system(tmp_path) in {"tmpfs", "ramfs"}:
        pytest.skip("the temporary folder is in memory")
    return tmp_path


@pytest.fixture
def in_memory() -> Iterator[Path]:
    shared = Path("/dev/shm")
    if not shared.is_dir() or file_system(shared) != "tmpfs" or not os.access(shared, os.W_OK):
        pytest.skip("there is no file system in memory")
    folder = shared / f"test-{uuid.uuid4().hex}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def file_in(folder: Path, name: str = "a") -> Path:
    path = folder / name
    path.write_bytes(os.urandom(SIZE))
    return path


def resident(path: Path) -> int | None:
    with path.open("rb") as file:
        return resident_bytes(file.fileno())


def cache(kind: Cache, *paths: Path) -> PageCache:
    return PageCache(CachePlan(kind, tuple(map(str, paths))))


def test_cold_files_are_dropped_even_if_they_have_just_been_written(on_disk: Path) -> None:
    paths = file_in(on_disk), file_in(on_disk, "b")
    assert (resident(paths[0]) or 0) >= SIZE
    subject = cache(Cache.cold, *paths)
    subject.before_each_epoch()
    assert [resident(path) for path in paths] == [0, 0]
    report = subject.report
    assert (report.times, report.files, report.size_bytes, report.resident_bytes, report.cannot) == (1, 2, 2 * SIZE, 0, None)


def test_warm_files_are_in_memory(on_disk: Path) -> None:
    path = file_in(on_disk)
    cache(Cache.cold, path).before_each_epoch()
    subject = cache(Cache.warm, path)
    subject.before_each_epoch()
    assert resident(path) == 0
    subject.before_the_first_epoch()
    assert (resident(path) or 0) >= SIZE
    assert (subject.report.times, subject.report.cannot) == (1, None)


def test_what_is_resident_is_counted_by_pages(on_disk: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux only")
    path = file_in(on_disk)
    cache(Cache.cold, path).before_each_epoch()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        file.read(1)
        assert 0 < (resident_bytes(file.fileno()) or 0) < SIZE / 2


def test_an_empty_file_is_nowhere(on_disk: Path) -> None:
    path = on_disk / "empty"
    path.touch()
    assert resident(path) == 0


def test_what_stays_in_memory_is_said(in_memory: Path) -> None:
    subject = cache(Cache.cold, file_in(in_memory))
    subject.before_each_epoch()
    assert "3.0 of 3.0 MB stayed in memory" in (subject.report.cannot or "")


def test_a_system_that_cannot_drop_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    subject = cache(Cache.cold, file_in(tmp_path))
    subject.before_each_epoch()
    assert subject.report.cannot == "this system has no posix_fadvise"


def test_nothing_is_claimed_of_files_of_others(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux says of them that all is in memory, whatever is."""
    path = file_in(on_disk)
    monkeypatch.setattr("os.geteuid", lambda: path.stat().st_uid + 1)
    monkeypatch.setattr("os.access", lambda *_: False)
    subject = cache(Cache.cold, path)
    subject.before_each_epoch()
    assert (subject.report.resident_bytes, subject.report.cannot) == (
        None,
        "this system does not report which pages are in memory",
    )


def test_a_file_that_is_gone_is_said(on_disk: Path) -> None:
    subject = cache(Cache.cold, on_disk / "gone", file_in(on_disk))
    subject.before_each_epoch()
    assert "cannot be opened" in (subject.report.cannot or "")


@pytest.mark.parametrize("mode", [Thread(), Process()])
def test_each_epoch_of_a_cold_trial_reads_every_file_from_storage(trials: Trials, on_disk: Path, mode: object) -> None:
    for number, image in enumerate(trials._images):
        shutil.copyfile(image.path, on_disk / f"{number}.jpg")
    images = images_of(Folder(path=str(on_disk)), 9)
    size = sum(Path(image.path).stat().st_size for image in images)
    plan = trials.plan(mode, images=images, items=6, epochs=3, warmup_epochs=1)
    asked = CachePlan(Cache.cold, tuple(image.path for image in images))

    def storage(plan: TrialPlan) -> list[int]:
        outcome = trials._supervisor.execute(plan, 240, lambda _: None)
        assert outcome.report is not None, outcome.error
        if plan.cache.kind is Cache.cold:
            assert outcome.report.cache is not None
            assert (outcome.report.cache.times, outcome.report.cache.cannot) == (4, None)
        return [epoch.usage.storage_read_bytes or 0 for epoch in outcome.report.epochs]

    assert all(read >= size for read in storage(dataclasses.replace(plan, cache=asked)))
    assert storage(plan) == [0, 0, 0]


def test_the_record_says_what_was_done_and_a_warning_what_could_not_be(in_memory: Path, supervisor: Supervisor) -> None:
    for name in ("a.jpg", "b.jpg"):
        shutil.copyfile(images_of(Sample(), 1)[0].path, in_memory / name)
    source = Folder(path=str(in_memory), cache=Cache.cold)
    protocol = Protocol(rounds=1, epochs=2, warmup_epochs=1)
    subject = point(in_memory / "point", source=source, protocol=protocol)
    Session([subject], 0, Silent(), supervisor).run()
    (trial,) = subject.trials
    cache = known(trial["cache"])
    assert (cache["kind"], cache["files"], cache["times"]) == ("cold", 2, 3)
    (warning,) = (warning for warning in of_point(subject.facts()) if warning.kind == "page_cache_as_it_was")
    assert "stayed in memory" in warning.message
