"""What is known of nodes, and of a head that cannot be reached."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.points import measured
from support.ray import joined, reported
from support.ray_cluster import Cluster
from support.rows import rows_in
from support.trials import Trials

from runner.config.options import Folder, NoSink, Pillow, Ray, Returns, ToFile, ToHttp
from runner.errors import TrialFailed
from runner.host.memory import Footprint
from runner.modes.ray.clocks import Clock
from runner.modes.ray.cluster import Cluster as RayCluster
from runner.modes.ray.location import Location
from runner.modes.ray.messages import NodeReading
from runner.modes.ray.nodes import Node, NodeReadings
from runner.modes.ray.reach import check_sink, check_source
from runner.modes.ray.worker_handle import WorkerHandle
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources.image import Image
from runner.record.trace import write_trace
from runner.trial.supervisor import Supervisor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the nodes of these tests are at loopback addresses of Linux"),
]


def test_the_node_is_in_every_row_and_each_node_in_the_record(
    tmp_path: Path, supervisor: Supervisor, cluster: Cluster, three_images: Sequence[Image]
) -> None:
    folder = str(Path(three_images[0].path).parent)
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
def test_what_is_of_one_host_alone_is_refused_on_another(tmp_path: Path, three_images: Sequence[Image], where: str) -> None:
    sink: Any = {"sink": ToFile(url=str(tmp_path / "sink")), "receiver": ToHttp(url="http://127.0.0.1:8080/")}.get(
        where, NoSink()
    )
    if where == "served":
        three_images = [replace(image, path=f"http://127.0.0.1:8080/{image.name}") for image in three_images]
    plan = PipelinePlan(three_images, "", None, "", None, "", sink)

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
def test_a_head_that_cannot_be_reached_is_told_at_once(trials: Trials, three_images: Sequence[Image], address: str) -> None:
    outcome = trials.outcome(Ray(address=address), images=three_images, timeout_s=20)
    assert outcome.error is not None
    assert outcome.error.kind == "ClusterUnreachable"
    assert f"mode.address={address}: cannot be reached" in str(outcome.error)


def test_what_listens_and_is_no_cluster_is_told_in_seconds(trials: Trials, three_images: Sequence[Image]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        outcome = trials.outcome(Ray(address=f"127.0.0.1:{deaf.getsockname()[1]}"), images=three_images, timeout_s=20)
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
def test_a_cluster_is_joined_in_every_way(trials: Trials, cluster: Cluster, three_images: Sequence[Image], how: str) -> None:
    address = how if how == "auto" else f"ray://127.0.0.1:{cluster.client_port}"
    outcome = joined(cluster, trials, three_images, address=address, items=9, returns=Returns.shared_memory)
    report = reported(outcome)
    assert len(report.epochs[0].records) == 9
    assert report.backend["cluster"] == address
