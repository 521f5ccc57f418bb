"""A cluster that a trial starts for itself ends with it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock, Timeout
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from support.composing import composed
from support.faulty_task import Fault
from support.program import Program, processes_of
from support.ray import joined, reported
from support.ray_cluster import Cluster, running
from support.trials import Trials
from support.watching import Watching

from runner.config.options import Ray, Returns, Sequential, Tensorflow
from runner.errors import ConfigurationError, TrialKilled, TrialTimeout
from runner.modes.ray.temporary_folder import remove_abandoned
from runner.pipeline.sources.image import Image
from runner.record.trial import digest_of
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the nodes of these tests are at loopback addresses of Linux"),
]


def test_an_object_store_that_is_full_is_a_failure_and_no_hang(
    trials: Trials, tmp_path: Path, three_images: Sequence[Image]
) -> None:
    """On a cluster of one node: where there are several, Ray may find room in another one's store."""
    # A run has nine results, as its task says that each has 0.8 MB. They have 12 MB, and so are together more than the store's 100 MB.
    words = {"items": 200, "returns": Returns.shared_memory, "chunksize": 30, "timeout_s": 60}
    with running(tmp_path, alone=True) as cluster:
        outcome = joined(cluster, trials, three_images, workers=2, task=Fault("colossal"), **words)
    assert outcome.error is not None
    assert outcome.error.kind == "ObjectStoreFull"
    assert "mode.object_store_mb" in str(outcome.error)


def test_a_cluster_that_is_started_has_the_threads_and_the_results_of_every_mode(
    trials: Trials, supervisor: Supervisor, tmp_path: Path
) -> None:
    task = Tensorflow(size=32)
    report = trials.report(Ray(cpus_per_worker=0.5), workers=3, items=9, limits=(2, 3), task=task)
    assert [(worker.threads.intra_op, worker.threads.inter_op) for worker in report.workers] == [(2, 3)] * 3
    assert digest_of(report.verification) == digest_of(trials.report(Sequential(), items=9, task=task).verification)
    assert report.backend["cluster"] == "started here"
    assert report.backend["cluster_s"] + report.backend["actors_s"] == pytest.approx(report.startup_s, rel=0.1)
    assert len({worker.pid for worker in report.workers}) == 3
    assert left_behind() == []
    assert not trials.log.exists() or trials.log.stat().st_size < 10_000


def test_every_phase_has_what_was_used_in_it_and_nothing_twice(trials: Trials, three_images: Sequence[Image]) -> None:
    words: dict[str, Any] = {
        "items": 30,
        "epochs": 2,
        "task": Fault("burn", cpu_s=0.02),
        "task_module": "support.faulty_task",
        "images": three_images,
    }
    outcome = trials.outcome(Ray(), **words)
    reported(outcome)
    usages: dict[str, Any] = {phase.name: after.usage - phase.usage for phase, after in itertools.pairwise(outcome.phases)}
    assert all(usage.cpu_s >= -0.02 for usage in usages.values())
    assert 0.6 <= usages["epoch"].cpu_s < 1.2
    assert 0.06 <= usages["verify"].cpu_s < 0.5
    assert usages["teardown"].cpu_s < 2


def test_a_killed_trial_leaves_no_process_and_no_folder_of_its_cluster(trials: Trials, three_images: Sequence[Image]) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    seen: list[psutil.Process] = []

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            seen.extend(psutil.Process(event.pids[0]).children(recursive=True))
            os.kill(event.pids[0], signal.SIGKILL)

    outcome = trials.outcome(
        Ray(), items=10, images=three_images, task=Fault("hang"), task_module="support.faulty_task", on_event=kill, timeout_s=60
    )
    assert isinstance(outcome.error, TrialKilled)
    assert len(seen) > 5
    assert [process for process in seen if lives(process)] == []
    assert left_behind() == []


def test_work_that_hangs_is_ended_at_the_deadline_with_its_cluster(trials: Trials, three_images: Sequence[Image]) -> None:
    watching = Watching()
    outcome = trials.outcome(
        Ray(),
        items=10,
        images=three_images,
        task=Fault("hang"),
        task_module="support.faulty_task",
        on_event=watching,
        timeout_s=9,
    )
    assert isinstance(outcome.error, TrialTimeout)
    assert watching.alive() == []
    assert left_behind() == []


def test_nothing_of_a_cluster_is_left_when_the_conductor_is_killed(program: Program, marker: str) -> None:
    words = ["mode=ray", "workers=2", "task=python", "protocol=once", "images=100000", "tracking=none"]
    conductor = program.started(marker, *words)
    try:
        limit = time.monotonic() + 120
        while not (raylets := [process for process in processes_of(marker) if process.name() == "raylet"]):
            assert time.monotonic() < limit, "the cluster did not start"
            assert conductor.poll() is None
            time.sleep(0.05)
        while len(workers := [child for child in raylets[0].children() if "ImageWorker" in child.name()]) < 2:
            assert time.monotonic() < limit, "the workers did not start"
            time.sleep(0.05)
        session = [process for process in psutil.process_iter() if session_of(process) == session_of(raylets[0])]
        assert {process.pid for process in workers} <= {process.pid for process in session}
    finally:
        conductor.kill()
        conductor.wait()
    limit = time.monotonic() + 30
    while left := [process for process in session if lives(process)]:
        assert time.monotonic() < limit, f"still there: {left}"
        time.sleep(0.05)
    assert processes_of(marker) == []
    remove_abandoned()  # as the next trial does: nobody was left to do it
    assert left_behind() == []


def test_workers_on_a_cluster_that_was_joined_end_with_a_killed_trial(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    seen: list[psutil.Process] = []

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            seen.extend(cluster.workers())
            os.kill(event.pids[0], signal.SIGKILL)

    outcome = joined(cluster, trials, three_images, workers=3, items=10, task=Fault("hang"), on_event=kill, timeout_s=60)
    assert isinstance(outcome.error, TrialKilled)
    assert len(seen) >= 3
    limit = time.monotonic() + 30
    while left := [process for process in seen if lives(process)]:
        assert time.monotonic() < limit, f"still there: {left}"
        time.sleep(0.05)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.config.options.modes.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"mode=ray: needs Ray(.|\n)*image-pipeline-runner\[ray\]"):
        composed("mode=ray")


@pytest.mark.parametrize(
    ("words", "key", "accepted"),
    [
        (["mode.address=here"], "mode.address", "auto"),
        (["mode.address=ray://"], "mode.address", "auto"),
        (["mode.cpus_per_worker=0"], "mode.cpus_per_worker", "above 0"),
        (["mode.placement=near"], "mode.placement", "spread, packed"),
        (["mode.address=auto", "mode.object_store_mb=100"], "mode.object_store_mb", "null"),
        (["mode.ship_source=true", "source.serve=true"], "mode.ship_source", "false"),
    ],
)
def test_choices_that_make_no_sense_are_refused(words: list[str], key: str, accepted: str) -> None:
    with pytest.raises((ConfigurationError, OmegaConfBaseException, HydraException)) as refused:
        composed("mode=ray", *words)
    assert key in str(refused.value) or isinstance(refused.value, HydraException)
    if isinstance(refused.value, ConfigurationError):
        assert accepted in str(refused.value)


def left_behind() -> list[str]:
    """Folders of clusters whose trial is no more; one that runs beside these tests holds its lock."""
    found = []
    for path in Path(tempfile.gettempdir()).glob("runner-ray-*"):
        with contextlib.suppress(Timeout, OSError), FileLock(path / "lock", blocking=False):
            found.append(str(path))
    return found


def lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def session_of(process: psutil.Process) -> int | None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    with contextlib.suppress(OSError):
        return os.getsid(process.pid)
    return None


def test_a_head_that_goes_away_in_the_middle_ends_the_trial_long_before_its_deadline(
    trials: Trials, tmp_path: Path, three_images: Sequence[Image]
) -> None:
    """Ray itself ends a process whose head is gone, so that the trial has no last word: the conductor finds out why."""
    with running(tmp_path) as cluster:

        def kill(event: Event) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                cluster.nodes[0].kill()

        task = Fault("hash", cpu_s=0.02)
        outcome = joined(
            cluster, trials, three_images, workers=2, items=20_000, epochs=1, task=task, on_event=kill, timeout_s=200
        )
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.kind) == ("failed", "ClusterLost")
    assert f"mode.address={cluster.address}: the head of the cluster has gone" in str(outcome.error)


def test_an_address_in_the_environment_is_not_that_of_the_cluster_that_a_trial_starts(program: Program) -> None:
    words = ["mode=ray", "workers=1", "task=pillow", "images=2", "protocol=once", "tracking=none"]
    answer = program.cold(*words, RAY_ADDRESS="ray://127.0.0.1:9")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "mode.address" not in answer.stdout + answer.stderr
