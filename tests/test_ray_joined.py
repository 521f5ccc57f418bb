"""Trials on a cluster that others run: its workers, its nodes, what dies there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.faulty_task import Fault
from support.photos import photo
from support.ray import joined, reported
from support.ray_cluster import AHEAD_S, Cluster
from support.trials import Trials

from runner.config.options import Placement, Returns, Sequential
from runner.errors import TrialKilled
from runner.pipeline.sources.image import Image, inspect
from runner.record.trial import digest_of
from runner.trial.messages import Phase
from runner.trial.supervisor import Event

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the nodes of these tests are at loopback addresses of Linux"),
]


def test_workers_on_two_hosts_do_the_work_of_one(trials: Trials, cluster: Cluster, three_images: Sequence[Image]) -> None:
    burn = Fault("burn", cpu_s=0.02)
    outcome = joined(cluster, trials, three_images, workers=4, items=40, epochs=2, warmup_epochs=1, task=burn)
    report = reported(outcome)
    plain = trials.report(Sequential(), images=three_images, task=burn, task_module="support.faulty_task", items=6)
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


def test_times_of_another_host_are_on_the_clock_of_this_one(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    if not cluster.apart:
        pytest.skip("takes namespaces")
    report = reported(joined(cluster, trials, three_images, workers=4, items=40, task=Fault("burn", cpu_s=0.005)))
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
    trials: Trials, cluster: Cluster, three_images: Sequence[Image], returns: Returns
) -> None:
    report = reported(joined(cluster, trials, three_images, workers=2, items=12, task=Fault("huge"), returns=returns))
    (epoch,) = report.epochs
    assert epoch.records.returned_bytes == 12 * 4_000_000
    assert len(report.verification.handed_over) == 3


def test_a_result_that_arrives_damaged_fails_the_trial(trials: Trials, cluster: Cluster, three_images: Sequence[Image]) -> None:
    outcome = joined(cluster, trials, three_images, items=2, task=Fault("lie"), returns=Returns.shared_memory)
    assert outcome.error is not None
    assert outcome.error.kind == "ReturnPath"


def test_a_node_that_goes_away_in_the_middle_costs_nothing_but_time(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    victim = cluster.add("127.0.0.4")

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            victim.kill()

    words = {"workers": 5, "items": 300, "epochs": 1, "task": Fault("hash", cpu_s=0.01), "on_event": kill, "warmup_epochs": 1}
    outcome = joined(cluster, trials, three_images, max_retries=2, **words)
    report = reported(outcome)
    (epoch,) = report.epochs
    assert sorted(record.item for record in epoch.records) == list(range(300))
    assert all(record.ok for record in epoch.records)
    assert report.backend["retried_images"] > 0
    assert report.backend["workers_replaced"] > 0
    assert any(node["died"] for node in report.nodes)
    assert {record.worker for record in epoch.records} <= set(report.node_of)
    began = {phase.name: phase.usage.cpu_s or 0.0 for phase in outcome.phases}
    # 300 times 0.01 s, and less than all workers took to start and to warm up; those that are replaced start once more.
    assert 3.0 <= epoch.cpu_s < 3.0 + began["epoch"] - min(began.values())
    assert digest_of(report.verification) == digest_of(
        trials.report(Sequential(), images=three_images, task=Fault(), task_module="support.faulty_task").verification
    )


def test_a_worker_that_dies_again_and_again_ends_the_trial(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    for retries in (0, 1):
        outcome = joined(cluster, trials, three_images, task=Fault("segfault", on="flower"), max_retries=retries, chunksize=1)
        assert isinstance(outcome.error, TrialKilled), outcome.error
        assert "worker" in str(outcome.error)


def test_a_worker_that_is_killed_is_replaced_where_images_may_be_tried_again(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            cluster.workers()[0].kill()

    words = {"workers": 2, "items": 100, "task": Fault("hash", cpu_s=0.01), "on_event": kill, "placement": Placement.packed}
    report = reported(joined(cluster, trials, three_images, max_retries=1, **words))
    assert report.backend["workers_replaced"] == 1
    assert report.backend["retried_images"] > 0
    assert len(report.epochs[0].records) == 100


def test_a_task_that_cannot_be_built_is_told_with_its_traceback(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    outcome = joined(cluster, trials, three_images, task=Fault("raise_at_build"))
    assert outcome.error is not None
    assert outcome.error.status == "failed"
    assert outcome.error.kind == "RuntimeError"
    assert "the task cannot be built" in str(outcome.error)
    assert "faulty_task.py" in (outcome.error.remote_traceback or "")


def test_workers_for_whom_there_is_no_room_are_refused_and_told_how_many_cpus_there_are(
    trials: Trials, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    outcome = joined(cluster, trials, three_images, workers=15)
    assert outcome.error is not None
    assert outcome.error.kind == "NoRoom"
    assert "15 workers ask for 15 CPUs" in str(outcome.error)
    assert "the cluster has 4 CPUs" in str(outcome.error) if cluster.apart else "2 CPUs"
    outcome = joined(cluster, trials, three_images, gpus_per_worker=1)
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
