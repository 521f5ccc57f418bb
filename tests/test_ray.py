"""``mode=ray``: on a cluster that it starts, and on one of several nodes on this machine, one of them as if on another host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Program, Trials, processes_of
from faulty_task import Fault
from ray_cluster import AHEAD_S, Cluster, running
from test_sources import photo

from runner.config.options import Placement, Ray, Returns, Sequential
from runner.errors import TrialKilled
from runner.results import digest_of, epoch_record, trial_record
from runner.sources.image import Image, inspect
from runner.supervisor import Event, Outcome
from runner.trial.messages import Phase, Report

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the cluster of these tests takes POSIX")


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
    return trials.outcome(mode, images=images, task=task or Fault(), task_module="faulty_task", **words)


def reported(outcome: Outcome) -> Report:
    assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
    assert outcome.report is not None
    return outcome.report


def test_workers_on_two_hosts_do_the_work_of_one(trials: Trials, cluster: Cluster, images: Sequence[Image]) -> None:
    burn = Fault("burn", cpu_s=0.02)
    outcome = joined(cluster, trials, images, workers=4, items=40, epochs=2, warmup_epochs=1, task=burn)
    report = reported(outcome)
    plain = trials.report(Sequential(), images=images, task=burn, task_module="faulty_task", items=6)
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
        # Every CPU second once, wherever it was used: 40 × 0.02 s, and what it takes besides.
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


@pytest.mark.parametrize("returns", list(Returns))
def test_results_come_back_as_they_were_sent_whatever_the_way(
    trials: Trials, cluster: Cluster, images: Sequence[Image], returns: Returns
) -> None:
    report = reported(joined(cluster, trials, images, workers=2, items=12, task=Fault("huge"), returns=returns))
    (epoch,) = report.epochs
    expected = 0 if returns is Returns.digest else 12 * 4_000_000
    assert epoch.records.returned_bytes == expected
    assert len(report.verification.handed_over) == (0 if returns is Returns.digest else 3)


@pytest.mark.parametrize("returns", [Returns.pickle, Returns.shared_memory])
def test_a_result_that_arrives_damaged_fails_the_trial(
    trials: Trials, cluster: Cluster, images: Sequence[Image], returns: Returns
) -> None:
    outcome = joined(cluster, trials, images, items=2, task=Fault("lie"), returns=returns)
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
        trials.report(Sequential(), images=images, task=Fault(), task_module="faulty_task").verification
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
            os.kill(event.pids[-1], signal.SIGKILL)

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


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_head_that_cannot_be_reached_is_told_at_once(trials: Trials, images: Sequence[Image], address: str) -> None:
    outcome = trials.outcome(Ray(address=address), images=images, timeout_s=20)
    assert outcome.error is not None
    assert outcome.error.kind == "ClusterUnreachable"
    assert f"mode.address={address}: cannot be reached" in str(outcome.error)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_what_listens_and_is_no_cluster_is_told_in_seconds(trials: Trials, images: Sequence[Image], scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        outcome = trials.outcome(Ray(address=f"{scheme}127.0.0.1:{deaf.getsockname()[1]}"), images=images, timeout_s=20)
    assert outcome.error is not None
    assert outcome.error.kind == "ClusterUnreachable"


@pytest.mark.parametrize("how", ["auto", "ray://"])
def test_a_cluster_is_joined_in_every_way(trials: Trials, cluster: Cluster, images: Sequence[Image], how: str) -> None:
    address = how if how == "auto" else f"ray://127.0.0.1:{cluster.client_port}"
    outcome = joined(cluster, trials, images, address=address, items=9, returns=Returns.shared_memory)
    report = reported(outcome)
    assert len(report.epochs[0].records) == 9
    assert report.backend["cluster"] == address
