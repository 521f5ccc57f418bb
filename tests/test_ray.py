"""``mode=ray``: on a cluster that it starts, and on one of several nodes on this machine, one of them as if on another host."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock, Timeout
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from support.composing import composed
from support.faulty_task import Fault
from support.photos import photo
from support.points import measured
from support.program import Program, processes_of
from support.ray_cluster import AHEAD_S, Cluster, running
from support.rows import rows_in
from support.trials import Trials
from support.watching import Watching

from runner.config.options import Folder, NoSink, Pillow, Placement, Ray, Returns, Sequential, Tensorflow, ToFile, ToHttp
from runner.errors import ConfigurationError, TrialFailed, TrialKilled, TrialTimeout
from runner.host.memory import Footprint
from runner.modes.ray.clocks import Clock
from runner.modes.ray.cluster import Cluster as RayCluster
from runner.modes.ray.location import Location
from runner.modes.ray.messages import NodeReading
from runner.modes.ray.nodes import Node, NodeReadings
from runner.modes.ray.reach import check_sink, check_source
from runner.modes.ray.temporary_folder import remove_abandoned
from runner.modes.ray.worker_handle import WorkerHandle
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources.image import Image, inspect
from runner.record.trace import write_trace
from runner.record.trial import digest_of
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event, Outcome, Supervisor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the nodes of these tests are at loopback addresses of Linux"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("hidden")
    with running(folder) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Image]:
    folder = tmp_path_factory.mktemp("seen")
    return [inspect(photo(folder / name)) for name in ("a.jpg", "flower.png", "c.jpg")]


def joined(cluster: Cluster, trials: Trials, images: Sequence[Image], *, task: Any = None, **words: Any) -> Outcome:
    fields = {key: words.pop(key) for key in list(words) if key in Ray.__dataclass_fields__}
    mode = Ray(**{"address": cluster.address, **fields})
    return trials.outcome(mode, images=images, task=task or Fault(), task_module="support.faulty_task", **words)


def reported(outcome: Outcome) -> Report:
    assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
    assert outcome.report is not None
    return outcome.report


def test_workers_on_two_hosts_do_the_work_of_one(trials: Trials, cluster: Cluster, images: Sequence[Image]) -> None:
    burn = Fault("burn", cpu_s=0.02)
    outcome = joined(cluster, trials, images, workers=4, items=40, epochs=2, warmup_epochs=1, task=burn)
    report = reported(outcome)
    plain = trials.report(Sequential(), images=images, task=burn, task_module="support.faulty_task", items=6)
    assert digest_of(report.verification) == digest_of(plain.verification)
    hosts = {node["host"] for node in report.nodes}
    assert len(report.nodes) == 2
    assert len(hosts) == (2 if cluster.apart else 1)
    assert {report.node_of[record.worker] for record in report.epochs[0].records} == {node["node"] for node in report.nodes}
    for node in report.nodes:
        # Two epochs and a warm-up, of which the queue gives some to everybody; the import of Python is in it too.
        assert node["cpu_s"] > 0.3
        assert node["memory_bytes"] > 10_000_000
        assert node["gpu"]["devices"] == [] or node["gpu"]["devices"][0]["name"]
    for epoch in report.epochs:
        assert sorted(record.item for record in epoch.records) == list(range(40))
        # Every CPU second once, wherever it was used: 40 times 0.02 s, and what it takes besides.
        assert 0.8 <= epoch.cpu_s < 1.6
        assert epoch.usage.cpu_s == pytest.approx(epoch.cpu_s, abs=0.3)
    startup = report.backend
    assert startup["cluster_s"] + startup["actors_s"] == pytest.approx(report.startup_s, rel=0.1)
    assert startup["workers_at_end"] == 4


def test_times_of_another_host_are_on_the_clock_of_this_one(trials: Trials, cluster: Cluster, images: Sequence[Image]) -> None:
    if not cluster.apart:
        pytest.skip("takes namespaces")
    report = reported(joined(cluster, trials, images, workers=4, items=40, task=Fault("burn", cpu_s=0.005)))
    (there,) = (node for node in report.nodes if node["elsewhere"])
    assert there["host"] == "elsewhere"
    assert there["clock_offset_s"] == pytest.approx(AHEAD_S, abs=1)
    assert 0 < there["clock_error_s"] < 1
    (epoch,) = report.epochs
    slack_ns = there["clock_error_s"] * 1e9 + 1e6
    for record in epoch.records:
        assert epoch.released_ns - slack_ns <= record.read_start <= record.end <= epoch.finished_ns + slack_ns


@pytest.mark.parametrize("returns", [Returns.pickle, Returns.shared_memory])
def test_results_come_back_as_they_were_sent_whatever_the_way(
    trials: Trials, cluster: Cluster, images: Sequence[Image], returns: Returns
) -> None:
    report = reported(joined(cluster, trials, images, workers=2, items=12, task=Fault("huge"), returns=returns))
    (epoch,) = report.epochs
    assert epoch.records.returned_bytes == 12 * 4_000_000
    assert len(report.verification.handed_over) == 3


def test_a_result_that_arrives_damaged_fails_the_trial(trials: Trials, cluster: Cluster, images: Sequence[Image]) -> None:
    outcome = joined(cluster, trials, images, items=2, task=Fault("lie"), returns=Returns.shared_memory)
    assert outcome.error is not None
    assert outcome.error.kind == "ReturnPath"


def test_a_node_that_goes_away_in_the_middle_costs_nothing_but_time(
    trials: Trials, cluster: Cluster, images: Sequence[Image]
) -> None:
    victim = cluster.add("127.0.0.4")

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            victim.kill()

    words = {"workers": 5, "items": 300, "epochs": 1, "task": Fault("hash", cpu_s=0.01), "on_event": kill, "warmup_epochs": 1}
    report = reported(joined(cluster, trials, images, max_retries=2, **words))
    (epoch,) = report.epochs
    assert sorted(record.item for record in epoch.records) == list(range(300))
    assert all(record.ok for record in epoch.records)
    assert report.backend["retried_images"] > 0
    assert report.backend["workers_replaced"] > 0
    assert any(node["died"] for node in report.nodes)
    assert {record.worker for record in epoch.records} <= set(report.node_of)
    assert 3.0 <= epoch.cpu_s < 8.0
    assert digest_of(report.verification) == digest_of(
        trials.report(Sequential(), images=images, task=Fault(), task_module="support.faulty_task").verification
    )


def test_a_worker_that_dies_again_and_again_ends_the_trial(trials: Trials, cluster: Cluster, images: Sequence[Image]) -> None:
    for retries in (0, 1):
        outcome = joined(cluster, trials, images, task=Fault("segfault", on="flower"), max_retries=retries, chunksize=1)
        assert isinstance(outcome.error, TrialKilled), outcome.error
        assert "worker" in str(outcome.error)


def test_a_worker_that_is_killed_is_replaced_where_images_may_be_tried_again(
    trials: Trials, cluster: Cluster, images: Sequence[Image]
) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            cluster.workers()[0].kill()

    words = {"workers": 2, "items": 100, "task": Fault("hash", cpu_s=0.01), "on_event": kill, "placement": Placement.packed}
    report = reported(joined(cluster, trials, images, max_retries=1, **words))
    assert report.backend["workers_replaced"] == 1
    assert report.backend["retried_images"] > 0
    assert len(report.epochs[0].records) == 100


def test_a_task_that_cannot_be_built_is_told_with_its_traceback(
    trials: Trials, cluster: Cluster, images: Sequence[Image]
) -> None:
    outcome = joined(cluster, trials, images, task=Fault("raise_at_build"))
    assert outcome.error is not None
    assert outcome.error.status == "failed"
    assert outcome.error.kind == "RuntimeError"
    assert "the task cannot be built" in str(outcome.error)
    assert "faulty_task.py" in (outcome.error.remote_traceback or "")


def test_workers_for_whom_there_is_no_room_are_refused_and_told_how_many_cpus_there_are(
    trials: Trials, cluster: Cluster, images: Sequence[Image]
) -> None:
    outcome = joined(cluster, trials, images, workers=15)
    assert outcome.error is not None
    assert outcome.error.kind == "NoRoom"
    assert "15 workers ask for 15 CPUs" in str(outcome.error)
    assert "the cluster has 4 CPUs" in str(outcome.error) if cluster.apart else "2 CPUs"
    outcome = joined(cluster, trials, images, gpus_per_worker=1)
    assert "0 GPUs" in str(outcome.error)


def test_a_source_that_a_node_cannot_reach_is_refused_or_sent(trials: Trials, cluster: Cluster) -> None:
    if not cluster.apart:
        pytest.skip("takes namespaces")
    hidden = [inspect(photo(cluster.hidden / name)) for name in ("a.jpg", "b.png")]
    outcome = joined(cluster, trials, hidden, workers=4, task=Fault("burn", cpu_s=0.005))
    assert outcome.error is not None
    assert outcome.error.kind == "Unreachable"
    assert "a.jpg cannot be read: No such file" in str(outcome.error)
    assert "mode.ship_source=true" in str(outcome.error)
    report = reported(joined(cluster, trials, hidden, workers=4, items=20, ship_source=True, task=Fault("burn", cpu_s=0.005)))
    assert all(record.ok for record in report.epochs[0].records)
    assert report.backend["shipped_bytes"] == sum(Path(image.path).stat().st_size for image in hidden)
    assert len({report.node_of[record.worker] for record in report.epochs[0].records}) == 2


def test_the_node_is_in_every_row_and_each_node_in_the_record(
    tmp_path: Path, supervisor: Supervisor, cluster: Cluster, images: Sequence[Image]
) -> None:
    folder = str(Path(images[0].path).parent)
    mode = Ray(address=cluster.address)
    subject = measured(tmp_path, supervisor, mode=mode, workers=4, images=40, source=Folder(path=folder), task=Pillow(size=32))
    (trial,) = subject.trials
    assert trial["error"] is None
    rows = rows_in(subject.folder)
    assert {row["node"] for row in rows} == {node["node"] for node in trial["nodes"]}
    assert len(trial["nodes"]) == 2
    of_worker = {number: node["node"] for node in trial["nodes"] for number in node["workers"]}
    assert all(row["node"] == of_worker[int(row["worker"])] for row in rows)
    assert trial["cpus_usable"] == (4 if cluster.apart else 2) * (os.cpu_count() or 1) / 2
    assert write_trace(subject.folder) == 0


@pytest.mark.parametrize("where", ["sink", "receiver", "served"])
def test_what_is_of_one_host_alone_is_refused_on_another(tmp_path: Path, images: Sequence[Image], where: str) -> None:
    sink: Any = {"sink": ToFile(url=str(tmp_path / "sink")), "receiver": ToHttp(url="http://127.0.0.1:8080/")}.get(
        where, NoSink()
    )
    if where == "served":
        images = [replace(image, path=f"http://127.0.0.1:8080/{image.name}") for image in images]
    plan = PipelinePlan(images, "", None, "", None, "", sink)

    def asked(name: str, path: str = "") -> Any:
        return {"different_image": None, "file_exists": not Path(path).exists()}[
            name
        ]  # a host that has other files than this one

    check = check_source if where == "served" else check_sink
    with pytest.raises(TrialFailed, match="node there cannot reach it") as refused:
        check(plan, "there", asked)
    assert refused.value.kind == "Unreachable"
    assert list(tmp_path.rglob(".seen-*")) == []


def test_a_node_is_told_with_the_energy_of_its_gpus_between_the_first_reading_and_the_last() -> None:
    def reading(joules: float | None) -> NodeReading:
        device = {"name": "A", "memory_total_bytes": 8, "memory_bytes": 4, "utilization_pct": 50.0, "energy_j": joules}
        return NodeReading(Footprint(100, "pss", 90, 3, 1), 2.0, [device], None)

    readings = NodeReadings()
    for joules in (10.0, 25.0):
        readings.add(reading(joules))
    workers = [
        WorkerHandle(0, None, Location("id", "host", "hostname", 1)),
        WorkerHandle(3, None, Location("id", "host", "hostname", 2), dead=True),
    ]
    record = Node("n", workers, readings, Clock(5_000_000, 1000)).record()
    assert record["gpu"] == {
        "absent": None,
        "devices": [{"name": "A", "memory_total_bytes": 8, "memory_bytes": 4, "energy_j": 15.0}],
    }
    assert (record["clock_offset_s"], record["memory_bytes"]) == (0.005, 100)
    assert (record["elsewhere"], record["workers"], record["died"]) == (True, [0, 3], [3])
    readings.add(reading(None))
    assert Node("n", workers, readings).record()["gpu"]["devices"][0]["energy_j"] is None


def test_a_clock_is_as_far_off_as_the_quickest_question_shows() -> None:
    ahead = 3_000_000_000
    clock = Clock.estimated(lambda: time.perf_counter_ns() + ahead)
    assert abs(clock.offset_ns - ahead) <= clock.error_ns + 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_head_that_cannot_be_reached_is_told_at_once(trials: Trials, images: Sequence[Image], address: str) -> None:
    outcome = trials.outcome(Ray(address=address), images=images, timeout_s=20)
    assert outcome.error is not None
    assert outcome.error.kind == "ClusterUnreachable"
    assert f"mode.address={address}: cannot be reached" in str(outcome.error)


def test_what_listens_and_is_no_cluster_is_told_in_seconds(trials: Trials, images: Sequence[Image]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        outcome = trials.outcome(Ray(address=f"127.0.0.1:{deaf.getsockname()[1]}"), images=images, timeout_s=20)
    assert outcome.error is not None
    assert outcome.error.kind == "ClusterUnreachable"


class Aborting:
    """Ray, as far as it is joined: a head that fails so many times, as Ray words it."""

    def __init__(self, failures: int) -> None:
        self.failures, self.asked = failures, 0

    def init(self, **_words: Any) -> None:
        self.asked += 1
        if self.asked <= self.failures:
            raise ConnectionAbortedError(
                "Initialization failure from server:\nTraceback:\nRuntimeError: Starting Ray client server failed.\n"
            )


@pytest.mark.parametrize(("how", "failures", "asked"), [("ray://", 2, 3), ("ray://", 3, 3), ("", 1, 1)])
def test_a_head_that_fails_to_serve_a_connection_is_asked_again(cluster: Cluster, how: str, failures: int, asked: int) -> None:
    ray = Aborting(failures)
    address = f"ray://127.0.0.1:{cluster.client_port}" if how else cluster.address
    if failures < asked:
        assert RayCluster.joined(ray, address).attempts == asked
    else:
        with pytest.raises(TrialFailed, match=r"the head failed \d times? to serve .*Starting Ray client server failed\.$"):
            RayCluster.joined(ray, address)
    assert ray.asked == asked


@pytest.mark.parametrize("how", ["auto", "ray://"])
def test_a_cluster_is_joined_in_every_way(trials: Trials, cluster: Cluster, images: Sequence[Image], how: str) -> None:
    address = how if how == "auto" else f"ray://127.0.0.1:{cluster.client_port}"
    outcome = joined(cluster, trials, images, address=address, items=9, returns=Returns.shared_memory)
    report = reported(outcome)
    assert len(report.epochs[0].records) == 9
    assert report.backend["cluster"] == address


def test_an_object_store_that_is_full_is_a_failure_and_no_hang(trials: Trials, tmp_path: Path, images: Sequence[Image]) -> None:
    """On a cluster of one node: where there are several, Ray may find room in another one's store."""
    # What a worker lays there in one run is more than the store holds: 30 results of 4 MB against 100 MB.
    words = {"items": 200, "returns": Returns.shared_memory, "chunksize": 30, "timeout_s": 60}
    with running(tmp_path, alone=True) as cluster:
        outcome = joined(cluster, trials, images, workers=2, task=Fault("huge"), **words)
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


def test_every_phase_has_what_was_used_in_it_and_nothing_twice(trials: Trials, images: Sequence[Image]) -> None:
    words: dict[str, Any] = {
        "items": 30,
        "epochs": 2,
        "task": Fault("burn", cpu_s=0.02),
        "task_module": "support.faulty_task",
        "images": images,
    }
    outcome = trials.outcome(Ray(), **words)
    reported(outcome)
    usages: dict[str, Any] = {phase.name: after.usage - phase.usage for phase, after in itertools.pairwise(outcome.phases)}
    assert all(usage.cpu_s >= -0.02 for usage in usages.values())
    assert 0.6 <= usages["epoch"].cpu_s < 1.2
    assert 0.06 <= usages["verify"].cpu_s < 0.5
    assert usages["teardown"].cpu_s < 2


def test_a_killed_trial_leaves_no_process_and_no_folder_of_its_cluster(trials: Trials, images: Sequence[Image]) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    seen: list[psutil.Process] = []

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            seen.extend(psutil.Process(event.pids[0]).children(recursive=True))
            os.kill(event.pids[0], signal.SIGKILL)

    outcome = trials.outcome(
        Ray(), items=10, images=images, task=Fault("hang"), task_module="support.faulty_task", on_event=kill, timeout_s=60
    )
    assert isinstance(outcome.error, TrialKilled)
    assert len(seen) > 5
    assert [process for process in seen if lives(process)] == []
    assert left_behind() == []


def test_work_that_hangs_is_ended_at_the_deadline_with_its_cluster(trials: Trials, images: Sequence[Image]) -> None:
    watching = Watching()
    outcome = trials.outcome(
        Ray(),
        items=10,
        images=images,
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
    trials: Trials, cluster: Cluster, images: Sequence[Image]
) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    seen: list[psutil.Process] = []

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            seen.extend(cluster.workers())
            os.kill(event.pids[0], signal.SIGKILL)

    outcome = joined(cluster, trials, images, workers=3, items=10, task=Fault("hang"), on_event=kill, timeout_s=60)
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
    trials: Trials, tmp_path: Path, images: Sequence[Image]
) -> None:
    """Ray itself ends a process whose head is gone, so that the trial has no last word: the conductor finds out why."""
    with running(tmp_path) as cluster:

        def kill(event: Event) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                cluster.nodes[0].kill()

        task = Fault("hash", cpu_s=0.02)
        outcome = joined(cluster, trials, images, workers=2, items=20_000, epochs=1, task=task, on_event=kill, timeout_s=200)
    assert outcome.error is not None
    assert (outcome.error.status, outcome.error.kind) == ("failed", "ClusterLost")
    assert f"mode.address={cluster.address}: the head of the cluster has gone" in str(outcome.error)
