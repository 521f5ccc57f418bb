"""The receiver on loopback: what it counts, what it refuses, and trials that send to it."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from support.points import Silent
from support.program import Program, processes_of
from support.sinks import ARRAY, IMAGES, MODES, PASSES, Ends, http_sink, label, trial_of
from support.troublesome_server import TroublesomeServer

from runner.config.options import (
    Payload,
    Process,
    Thread,
    ToHttp,
)
from runner.pipeline.servers.receiver import Receiver
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor


def test_the_receiver_counts_what_64_connections_send_at_the_same_time() -> None:
    receiver = Receiver(latency_s=0.25)
    sink = http_sink(receiver.url)
    began = time.monotonic()
    together = threading.Barrier(64)

    def put(item: int) -> None:
        together.wait()
        sink.put(ARRAY, item)

    with ThreadPoolExecutor(64) as threads:
        list(threads.map(put, range(64)))
    took_s = time.monotonic() - began
    arrivals, cpu_s = receiver.arrivals()
    receipt = sink.end()
    sink.close()
    receiver.close()
    assert (arrivals[0].count, arrivals[0].checksum, arrivals[0].bytes) == (64, receipt.checksum, 64 * ARRAY.nbytes)
    assert list(arrivals[0]) == list(range(64))
    assert 0 < cpu_s < 5
    assert 0.25 <= took_s < 64 * 0.25 / 2  # one after the other they would take 16 s


def test_passes_are_counted_each_by_itself() -> None:
    receiver = Receiver()
    sink = http_sink(receiver.url)
    for epoch, items in enumerate((3, 0, 2)):
        sink.begin(epoch)
        for item in range(items):
            sink.put(ARRAY, item)
    arrivals, _ = receiver.arrivals()
    sink.close()
    receiver.close()
    assert {epoch: list(there) for epoch, there in arrivals.items()} == {0: [0, 1, 2], 2: [0, 1]}


@pytest.mark.parametrize("headers", [{}, {"X-Item": "-1", "X-Epoch": "0"}, {"X-Item": "1", "X-Epoch": "9" * 5000}])
def test_the_receiver_refuses_what_it_cannot_count(headers: dict[str, str]) -> None:
    receiver = Receiver()
    where = urlsplit(receiver.url)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    connection.request("POST", "/", b"body", headers)
    assert connection.getresponse().status == 400
    connection.close()
    assert receiver.arrivals()[0] == {}
    receiver.close()


def test_a_large_number_of_an_item_takes_the_receiver_little_memory() -> None:
    receiver = Receiver()
    sink = http_sink(receiver.url)
    sink.put(ARRAY, 0)
    before = psutil.Process(receiver.pid).memory_info().rss
    for item in range(10**9 - 12 * 10**6, 10**9, 10**6):
        sink.put(ARRAY, item)
    grown = psutil.Process(receiver.pid).memory_info().rss - before
    arrivals, _ = receiver.arrivals()
    sink.close()
    receiver.close()
    assert grown < 10e6
    assert list(arrivals[0]) == [0, *range(10**9 - 12 * 10**6, 10**9, 10**6)]


def test_a_receiver_that_has_ended_is_told() -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    from runner.errors import TrialFailed

    receiver = Receiver()
    assert receiver.pid is not None
    os.kill(receiver.pid, signal.SIGKILL)
    with pytest.raises(TrialFailed, match="receiver of sink=http has ended"):
        receiver.arrivals()
    receiver.close()


def receivers() -> list[psutil.Process]:
    alive = []
    for child in psutil.Process().children(recursive=True):
        try:
            if Receiver.__module__ in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                alive.append(child)
        except psutil.Error:
            continue
    return alive


@pytest.mark.parametrize("mode", MODES, ids=label)
def test_every_mode_sends_each_result_of_each_pass_to_the_receiver(supervisor: Supervisor, tmp_path: Path, mode: Any) -> None:
    trial = trial_of(supervisor, tmp_path, ToHttp(latency_s=0.001), mode=mode)
    assert trial["error"] is None, trial["error"]
    sink = trial["sink"]
    assert (sink["sent"], sink["received"], sink["duplicates"]) == (PASSES * IMAGES, PASSES * IMAGES, 0)
    assert sink["checked"]
    assert sink["receiver_cpu_s"] > 0
    assert [epoch["sink_bytes"] for epoch in trial["epochs"]] == [IMAGES * 224 * 224 * 3 * 4] * 2
    assert receivers() == []


def proxied(monkeypatch: pytest.MonkeyPatch, *deeds: str) -> None:
    """Each receiver that is started from here on stands behind a proxy that does these things, the last one for ever."""
    start = Receiver.__init__

    def start_behind_proxy(self: Receiver, latency_s: float) -> None:
        start(self, latency_s)
        proxy = TroublesomeServer(*deeds, target=self.url)
        proxy.__enter__()
        self.url = proxy.url

    monkeypatch.setattr(Receiver, "__init__", start_behind_proxy)


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=label)
def test_a_result_that_is_lost_on_the_way_fails_the_trial(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    proxied(monkeypatch, *["pass"] * 8, "lose", "pass")
    trial = trial_of(supervisor, tmp_path, ToHttp(), mode=mode)
    assert trial["status"] == "failed"
    assert trial["error"]["type"] == "NotDelivered"
    assert "pass 1 of 3: 1 of 6 results that were sent did not arrive: item" in trial["error"]["message"]
    assert (trial["sink"]["sent"], trial["sink"]["received"]) == (PASSES * IMAGES, PASSES * IMAGES - 1)
    assert trial["epochs"][0]["images_ok"] == IMAGES


def test_a_result_that_is_damaged_on_the_way_fails_the_trial(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxied(monkeypatch, *["pass"] * 3, "damage", "pass")
    trial = trial_of(supervisor, tmp_path, ToHttp(payload=Payload.digest))
    assert "pass 0 of 3: all 6 results arrived, but not as they were sent" in trial["error"]["message"]


def test_a_result_that_is_sent_again_because_its_answer_was_lost_counts_once(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxied(monkeypatch, "pass", "pass mutely", "pass")
    trial = trial_of(supervisor, tmp_path, ToHttp())
    assert trial["error"] is None
    assert (trial["sink"]["received"], trial["sink"]["duplicates"], trial["sink"]["repeated"]) == (PASSES * IMAGES, 1, 1)


def test_a_server_of_ones_own_is_believed_by_its_answers(supervisor: Supervisor, tmp_path: Path) -> None:
    with TroublesomeServer() as server:
        trial = trial_of(supervisor, tmp_path, ToHttp(url=server.url))
        assert len(server.requests) == PASSES * IMAGES
    assert trial["error"] is None
    assert (trial["sink"]["received"], trial["sink"]["checked"]) == (None, False)
    with TroublesomeServer("digest") as server:
        trial = trial_of(supervisor, tmp_path / "digest", ToHttp(url=server.url))
    assert (trial["sink"]["checked"], trial["sink"]["method"]) == (True, "X-Digest of each answer")


def test_a_server_that_refuses_gives_failed_images(supervisor: Supervisor, tmp_path: Path) -> None:
    with TroublesomeServer(*["200"] * 12, "400", "200") as server:
        trial = trial_of(supervisor, tmp_path, ToHttp(url=server.url))
    assert trial["error"] is None
    assert trial["epochs"][1]["images_failed"] == 1
    assert "SinkError: POST" in next(iter(trial["image_errors"].values()))
    with TroublesomeServer("400") as server:
        trial = trial_of(supervisor, tmp_path / "all", ToHttp(url=server.url))
    assert trial["status"] == "failed"
    assert "no image could be processed: 3 files: SinkError: POST" in trial["error"]["message"]


def test_a_receiver_that_dies_gives_failed_images_and_a_failed_trial(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KillsReceiver(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "pause":
                for receiver in receivers():
                    receiver.kill()

    trial = trial_of(supervisor, tmp_path, ToHttp(retries=0), KillsReceiver())
    assert trial["status"] == "failed"
    assert "Connection refused" in next(iter(trial["image_errors"].values()))


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_nothing_is_left_of_the_receiver_when_the_program_is_killed(program: Program, marker: str, mode: str) -> None:
    words = [f"mode={mode}", "workers=2", "task=pillow", "protocol=once", "images=100000", "tracking=none", "sink=http"]
    conductor = program.started(marker, *words)
    try:
        limit = time.monotonic() + 200
        wanted = 7 if mode == "process" else 5  # conductor, resource tracker, fork server, receiver, trial, and workers
        while len(processes_of(marker)) < wanted:
            assert time.monotonic() < limit, "the trial did not start"
            assert conductor.poll() is None
            time.sleep(0.05)
    finally:
        conductor.kill()
        conductor.wait()
    limit = time.monotonic() + 20
    while left := processes_of(marker):
        assert time.monotonic() < limit, f"still there: {[(process.pid, process.cmdline()) for process in left]}"
        time.sleep(0.05)


def test_nothing_is_left_of_the_receiver_when_the_trial_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    trial = trial_of(supervisor, tmp_path, ToHttp(), Ends("epoch"))
    assert trial["status"] == "killed"
    assert trial["sink"] is None
    assert receivers() == []
