"""Sinks: what is sent arrives, or is told to be missing; servers and disks that fail give failed images, never silence."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import PIL.Image
import psutil
import pytest
from support.points import Silent, point
from support.program import Program, processes_of
from support.troublesome_server import TroublesomeServer, free_port

from runner.config.options import (
    FileFormat,
    Payload,
    Pillow,
    Process,
    ProcessPool,
    Sequential,
    SinkOption,
    StartMethod,
    Thread,
    ThreadPool,
    ToFile,
    ToHttp,
)
from runner.errors import SinkError
from runner.pipeline import retry
from runner.pipeline.receipts import Arrivals, Ledger, Receipt, fingerprint
from runner.pipeline.retry import MayPass, retried
from runner.pipeline.servers.receiver import Receiver
from runner.pipeline.sinks import Sent
from runner.pipeline.sinks.delivery import delivery_from_arrivals
from runner.pipeline.sinks.encodings import as_example, as_npy, as_png, item_of_example
from runner.pipeline.sinks.file import FileDestination, FileSink
from runner.pipeline.sinks.http import HttpSink
from runner.pipeline.stamps import Records
from runner.pipeline.wire import WireError, masked_crc32c, records
from runner.sweep.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor

MODES = [
    Sequential(),
    Thread(),
    ThreadPool(),
    Process(),
    ProcessPool(),
    Process(threads_per_worker=2),
    Process(start_method=StartMethod.spawn),
]
# Passes of a trial of ``point``: one of warm-up and two timed; with six images.
PASSES, IMAGES = 3, 6


def label(mode: Any) -> str:
    method = getattr(getattr(mode, "start_method", None), "value", "")
    return "-".join(filter(None, [mode.name, method, str(getattr(mode, "threads_per_worker", ""))]))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(retry, "sleep", pauses.append)
    monkeypatch.setattr("runner.pipeline.retry.random.uniform", lambda _, whole: whole)
    return pauses


def trial_of(supervisor: Supervisor, folder: Path, sink: SinkOption, display: Any = None, **changes: Any) -> dict[str, Any]:
    """The record of one trial with this sink, through the session, as the program runs it."""
    Session(
        [of := point(folder / "point", sink=sink, **{"task": Pillow(), **changes})], 0, display or Silent(), supervisor
    ).run()
    recorded: list[dict[str, Any]] = json.loads((of.folder / "result.json").read_text())["trials"]
    assert recorded == json.loads(json.dumps(of.trials))
    return recorded[0]


# ------------------------------------------------------------------------------------------------- what was sent, what arrived


def result(item: int) -> bytes:
    return bytes([item]) * 100


def sent(items: int, failed: frozenset[int] = frozenset(), doubtful: frozenset[int] = frozenset()) -> Sent:
    ledger = Ledger()
    for item in set(range(items)) - failed:
        ledger.sent(fingerprint(item, result(item)), 100)
    for item in doubtful:
        ledger.doubt(item, fingerprint(item, result(item)))
    return Sent(failed, ledger.take())


def arrived(*items: int, damaged: int | None = None) -> Arrivals:
    arrivals = Arrivals()
    for item in items:
        arrivals.take(item, result(item + 1 if item == damaged else item))
    return arrivals


@pytest.mark.parametrize(
    ("what", "there", "says"),
    [
        (sent(4), arrived(3, 1, 0, 2), None),
        (sent(4), arrived(3, 1, 0), "pass 0 of 1: 1 of 4 results that were sent did not arrive: item 2"),
        (sent(20), arrived(0), "19 of 20 results that were sent did not arrive: items 1, 2, 3, 4, 5, ..."),
        (sent(4), arrived(0, 1, 2, 3, damaged=1), "all 4 results arrived, but not as they were sent"),
        (sent(4), arrived(0, 1, 2, 3, 4), "what arrived was not all sent: item 4"),
        (sent(4, frozenset({2})), arrived(0, 1, 3), None),
        (sent(4, frozenset({2})), arrived(0, 1, 2, 3), "what arrived was not all sent: item 2"),
        (sent(4, frozenset({2}), frozenset({2})), arrived(0, 1, 2, 3), None),
        (sent(4, frozenset({2}), frozenset({2})), arrived(0, 1, 2, 3, damaged=2), "not as they were sent"),
        (Sent(frozenset(), Receipt()), arrived(0, 1, 2, 3), "the workers sent 0 results, but handled 4"),
    ],
)
def test_a_difference_between_what_was_sent_and_what_arrived_is_named(what: Sent, there: Arrivals, says: str | None) -> None:
    items = what.receipt.count + len(what.failed) or 4
    problem = delivery_from_arrivals([what], {0: there}, items, "here").problem
    assert problem is None if says is None else says in (problem or "")


def test_of_very_many_images_that_fail_all_are_known_to_have_failed() -> None:
    """The reasons are kept of some; what was to be sent is told by the records."""
    records = Records(errors={0: "ValueError: not to my taste"})
    for item in range(3000):
        records.values.extend((item, 0, 0, 1, 2, 3, 4, item % 2))
    assert Sent.of(records).failed == frozenset(range(0, 3000, 2))
    assert Sent.of(Records()).failed == frozenset()


def test_what_comes_twice_counts_once_and_is_reported() -> None:
    delivery = delivery_from_arrivals([sent(3)], {0: arrived(0, 1, 1, 2, 1)}, 3, "here")
    assert (delivery.problem, delivery.received, delivery.duplicates) == (None, 3, 2)


def test_what_arrived_although_its_sender_gave_up_is_reported() -> None:
    failed = frozenset({1})
    delivery = delivery_from_arrivals([sent(3, failed, failed)], {0: arrived(0, 1, 2)}, 3, "here")
    assert (delivery.problem, delivery.sent, delivery.received, delivery.unacknowledged) == (None, 2, 3, 1)


def test_what_arrives_for_an_epoch_that_there_was_not_is_told() -> None:
    problem = delivery_from_arrivals([sent(1)], {0: arrived(0), 7: arrived(0)}, 1, "here").problem
    assert problem == "something arrived for pass 7, which there was not"


def test_receipts_add_up_in_any_order_and_keep_doubts() -> None:
    one, other = sent(3).receipt, sent(5, frozenset({4}), frozenset({4})).receipt
    assert one + other == other + one
    assert (one + other).count == 7
    assert list((one + other).doubtful) == [4]


def test_pauses_double_up_to_a_limit_and_the_last_failure_is_told(no_pauses: list[float]) -> None:
    attempts = []

    def attempt() -> None:
        attempts.append(1)
        raise MayPass("no luck")

    with pytest.raises(SinkError, match=r"^no luck, 9 times$"):
        retried(attempt, 8)
    assert len(attempts) == 9
    assert no_pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_server_that_asks_for_a_pause_gets_it_up_to_the_limit(no_pauses: list[float]) -> None:
    asked = iter([3.0, 60.0])

    def attempt() -> None:
        raise MayPass("busy", next(asked, 0.0))

    with pytest.raises(SinkError):
        retried(attempt, 3)
    assert no_pauses == [3.0, 5.0, 0.4]


# -------------------------------------------------------------------------------------------------------------------- encodings


def test_floats_become_8_bits_between_the_least_and_the_greatest_value() -> None:
    image = np.array([[-1.0, 0.0], [0.5, 3.0]], np.float32)
    read = np.asarray(PIL.Image.open(io.BytesIO(as_png(image))))
    assert read.tolist() == [[0, 64], [96, 255]]
    assert np.asarray(PIL.Image.open(io.BytesIO(as_png(np.full((2, 2, 3), 7.0))))).max() == 0


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bytes_are_written_to_a_png_as_they_are(channels: int) -> None:
    image = np.random.default_rng(0).integers(3, 200, (5, 7, channels)).astype(np.uint8)
    read = np.asarray(PIL.Image.open(io.BytesIO(as_png(image)))).reshape(image.shape)
    assert np.array_equal(read, image)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4, 2)), r"1, 3 or 4 channels, this result has the shape \(4, 4, 2\)"),
        (np.zeros(16), r"1, 3 or 4 channels, this result has the shape \(16,\)"),
        (np.zeros((0, 4, 3)), "has the shape"),
        (np.array([[1.0, np.nan]]), "finite"),
    ],
)
def test_what_is_no_image_is_refused_by_png(array: Any, says: str) -> None:
    with pytest.raises(SinkError, match=says):
        as_png(array)


@pytest.mark.parametrize("item", [0, 1, 127, 128, 300, 10**9])
def test_an_items_number_is_read_back_from_an_example(item: int) -> None:
    assert item_of_example(memoryview(as_example(np.ones((3, 2)), item))) == item


def test_an_example_without_the_number_of_an_item_is_refused() -> None:
    for odd in (b"", as_example(np.ones(2), 7).replace(b"item", b"mist"), b"\xff\xff"):
        with pytest.raises(ValueError, match=r"item's number|beyond its message"):
            item_of_example(memoryview(odd))


def test_a_file_that_ends_in_the_middle_of_a_record_is_told() -> None:
    length = (5).to_bytes(8, "little")
    whole = (length + masked_crc32c(length).to_bytes(4, "little") + b"hello" + bytes(4)) * 2
    assert [whole[start:end] for start, end in records(whole)] == [b"hello", b"hello"]
    for cut in (1, 6, 20):
        with pytest.raises(WireError):
            list(records(whole[:-cut]))


# ------------------------------------------------------------------------------------------------------------------ sink=http


def http_sink(url: str, **options: Any) -> HttpSink:
    sink = HttpSink(ToHttp(url=url, **{"timeout_s": 5.0, **options}), lambda array: array)
    sink.begin(0)
    return sink


ARRAY = np.arange(50_000, dtype=np.float32).reshape(100, 500)


def test_an_array_is_sent_as_its_bytes_with_what_they_mean() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url + "?key=1")
        sink.begin(4)
        sink.put(ARRAY, 7)
        (headers, body) = server.requests[0]
        sink.close()
    assert np.array_equal(np.frombuffer(body, headers["X-Dtype"]).reshape(100, 500), ARRAY)
    assert (headers["X-Item"], headers["X-Epoch"], headers["X-Shape"]) == ("7", "4", "100,500")


def test_a_digest_is_sent_instead_of_the_array_where_that_is_asked_for() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url, payload=Payload.digest)
        for item, array in enumerate((ARRAY, ARRAY + 1, ARRAY, ARRAY.reshape(-1))):
            sink.put(array, item)
        bodies = [body for _, body in server.requests]
        assert sink.end().bytes == 4 * 32
        sink.close()
    assert bodies[0] == bodies[2]
    assert len(set(bodies)) == 3
    assert all(len(bytes.fromhex(body.decode())) == 16 for body in bodies)


@pytest.mark.parametrize("trouble", ["500", "503", "408", "429", "reset", "mute"])
def test_what_may_pass_is_tried_again(trouble: str, no_pauses: list[float]) -> None:
    with TroublesomeServer(trouble, trouble, "200") as server:
        sink = http_sink(server.url)
        sink.put(ARRAY, 0)
        receipt = sink.end()
        sink.close()
    assert (receipt.count, receipt.repeated, receipt.bytes) == (1, 2, ARRAY.nbytes)
    assert no_pauses == [0.1, 0.2]
    assert server.requests[-1][1] == ARRAY.tobytes()


@pytest.mark.parametrize("status", ["400", "401", "404", "301", "413"])
def test_what_does_not_pass_is_not_tried_again(status: str) -> None:
    with TroublesomeServer(status, "200") as server:
        sink = http_sink(server.url)
        with pytest.raises(SinkError, match=f"POST {server.url}: status {status}$"):
            sink.put(ARRAY, 0)
        assert len(server.requests) == 1
        assert sink.end().count == 0
        sink.close()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("500", "status 500, 2 times"),
        ("hang", "no answer within 0.3 s, 2 times"),
        ("reset", "2 times"),
        ("wrong digest", "the answer's X-Digest is not that of the body, 2 times"),
    ],
)
def test_what_does_not_pass_in_time_is_told(trouble: str, says: str, no_pauses: list[float]) -> None:
    with TroublesomeServer(trouble) as server:
        began = time.monotonic()
        sink = http_sink(server.url, retries=1, timeout_s=0.3)
        with pytest.raises(SinkError, match=says):
            sink.put(ARRAY, 3)
        assert list(sink.end().doubtful) == [3]
        assert len(server.requests) == 2
        assert time.monotonic() - began < 20  # less than a second; without its timeout it would hang for a minute
        sink.close()


def test_a_server_that_is_not_there_is_told_without_the_password_and_the_query(no_pauses: list[float]) -> None:
    sink = http_sink(f"http://me:hidden@127.0.0.1:{free_port()}/in?token=hidden", retries=1)
    with pytest.raises(SinkError) as caught:
        sink.put(ARRAY, 0)
    sink.close()
    assert str(caught.value).endswith("/in: Connection refused, 2 times")
    assert "hidden" not in str(caught.value)


def test_the_password_of_an_address_is_sent_as_a_header() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url.replace("//", "//me:secret@"))
        sink.put(ARRAY, 0)
        sink.close()
    assert server.requests[0][0]["authorization"] == "Basic bWU6c2VjcmV0"


def test_a_digest_in_the_answer_confirms_what_was_sent() -> None:
    with TroublesomeServer("digest", "200") as server:
        sink = http_sink(server.url)
        sink.put(ARRAY, 0)
        assert sink.end().confirmed == 1
        sink.put(ARRAY, 0)
        assert sink.end().confirmed == 0
        sink.close()


def test_a_proxy_is_used_and_no_proxy_respected(no_pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    with TroublesomeServer() as server, TroublesomeServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.server_port}")
        sink = http_sink("http://far.invalid/in?key=1")
        for item in range(2):
            sink.put(ARRAY, item)
        sink.close()
        near = http_sink(server.url)  # on this machine
        near.put(ARRAY, 0)
        near.close()
        monkeypatch.setenv("no_proxy", "far.invalid")
        direct = http_sink("http://far.invalid/in", retries=0)
        with pytest.raises(SinkError):
            direct.put(ARRAY, 0)
        direct.close()
    assert (len(proxy.requests), proxy.connections, len(server.requests)) == (2, 1, 1)
    headers, body = proxy.requests[0]
    assert (headers["Host"], headers["proxy-authorization"], body) == ("far.invalid", "Basic bWU6c2VjcmV0", ARRAY.tobytes())


def test_connections_are_kept_and_shared_by_threads() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda item: sink.put(ARRAY, item), range(40)))
        assert sink.end().count == 40
        assert server.connections <= 4
        sink.close()


# --------------------------------------------------------------------------------------------------------------- the receiver


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


# ---------------------------------------------------------------------------------------------------------- trials with a server


class Ends(Silent):
    """Kills the trial where it enters a phase, and remembers the processes of all trials."""

    def __init__(self, phase: str = "") -> None:
        self._phase = phase

    def event(self, event: object) -> None:
        if isinstance(event, Event) and isinstance(event, Phase) and event.name == self._phase:
            psutil.Process(event.pids[0]).kill()


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
    assert "no image could be processed; the first error is SinkError: POST" in trial["error"]["message"]


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


# ------------------------------------------------------------------------------------------------------------------ sink=file


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


# ------------------------------------------------------------------------------------------------------- sink=file, far away


@pytest.fixture(scope="module")
def s3() -> Any:
    """A real S3 server on loopback, in a process of its own."""
    port = free_port()
    script = (
        "import sys\nfrom moto.server import ThreadedMotoServer\n"
        "server = ThreadedMotoServer(ip_address='127.0.0.1', port=int(sys.argv[1]), verbose=False)\n"
        "server.start()\nprint('ready', flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    url = f"http://127.0.0.1:{port}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("PUT", "/bucket")
    assert connection.getresponse().status == 200
    connection.close()
    yield url
    process.kill()
    process.communicate()


def s3_environment(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def keys(url: str) -> list[str]:
    import re

    where = urlsplit(url)
    assert where.hostname is not None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.request("GET", "/bucket?list-type=2")
    found = re.findall(r"<Key>([^<]+)</Key>", connection.getresponse().read().decode())
    connection.close()
    return found


@pytest.mark.parametrize(
    ("words", "suffix", "files"),
    [
        (["mode=thread"], "npy", 8),
        (["mode=process"], "npy", 8),
        (["mode=process", "sink.format=tfrecord"], "tfrecord", 4),
    ],
)
def test_results_go_to_s3_and_are_read_back(program: Program, s3: str, words: list[str], suffix: str, files: int) -> None:
    prefix = f"results-{suffix}-{words[0][5:]}"
    common = ["workers=2", "task=pillow", "images=4", "protocol=once", "protocol.warmup_epochs=1", "tracking=none", "sink=file"]
    answer = program.cold(*common, f"sink.url=s3://bucket/{prefix}", *words, **s3_environment(s3))
    assert answer.returncode == 0, answer.stderr
    (record,) = (json.loads(path.read_text()) for path in program.folder.glob("outputs/runs/*/*/result.json"))
    sink = record["trials"][0]["sink"]
    assert (sink["sent"], sink["received"], sink["checked"]) == (8, 8, True)
    there = [key for key in keys(s3) if key.startswith(f"{prefix}/{record['id']}/epoch-00")]
    assert len(there) == files
    assert {key.rpartition(".")[2] for key in there} == {suffix}


def test_results_on_s3_are_removed_on_request(program: Program, s3: str) -> None:
    words = [
        "workers=2",
        "task=pillow",
        "images=4",
        "protocol=once",
        "tracking=none",
        "sink=file",
        "sink.url=s3://bucket/gone",
        "sink.remove=true",
    ]
    answer = program.cold(*words, **s3_environment(s3))
    assert answer.returncode == 0, answer.stderr
    assert [key for key in keys(s3) if key.startswith("gone/")] == []


def test_a_remote_place_that_cannot_be_reached_fails_the_trial_in_words(program: Program) -> None:
    words = ["workers=2", "task=pillow", "images=4", "protocol=once", "tracking=none", "sink=file", "sink.url=s3://bucket/x"]
    answer = program.cold(*words, "sink.retries=0", "sink.timeout_s=3", **s3_environment(f"http://127.0.0.1:{free_port()}"))
    assert answer.returncode == 1
    assert "sink.url: cannot list s3://bucket/x/" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_is_in_the_memory_of_a_process_is_said_to_be_unchecked(supervisor: Supervisor, tmp_path: Path) -> None:
    trial = trial_of(supervisor, tmp_path, ToFile(url="memory://results"))
    assert trial["error"] is None
    assert (trial["sink"]["sent"], trial["sink"]["received"], trial["sink"]["checked"]) == (PASSES * IMAGES, None, False)
