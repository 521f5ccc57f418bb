"""source.serve: a server of images beside the trial, with a latency, a jitter and a bandwidth."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.made_records import known
from support.points import Silent, point
from support.program import Program

from runner.config.options import Sample
from runner.errors import TrialFailed
from runner.monitor.sampler import Sampler
from runner.pipeline.servers.children import child
from runner.pipeline.servers.image_server import Link
from runner.pipeline.sources import images_of
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor

PATHS = [image.path for image in images_of(Sample(), 3)]
PHOTOS = [Path(path).read_bytes() for path in PATHS]
SERVER = "runner.pipeline.servers.image_server"

Serving = Callable[..., AbstractContextManager[int]]


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    return {}


@pytest.fixture
def serving(services: dict[str, dict[str, Any]]) -> Serving:
    """Start a server; the context is its port."""

    @contextlib.contextmanager
    def start(**plan: Any) -> Any:
        default = {"paths": PATHS, "latency_s": 0.0, "jitter_s": 0.0, "bandwidth": None, "seed": 0}
        with child("image_server", SERVER, default | plan, services) as ready:
            yield ready["port"]

    return start


def get(port: int, target: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", target)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def test_it_gives_out_the_files_and_nothing_else(serving: Serving, services: dict[str, Any]) -> None:
    with serving() as port:
        assert [get(port, f"/{number}/x.jpg") for number in range(3)] == [(200, photo) for photo in PHOTOS]
        assert get(port, "/0") == (200, PHOTOS[0])
        for target in ("/3/x.jpg", "/", "/x", "/-1/x", "/../etc/passwd", "/%2e%2e/x"):
            assert get(port, target) == (404, b"")
    found = services["image_server"]
    assert found["requests"] == 10
    assert found["bytes_sent"] > sum(map(len, PHOTOS))
    assert found["cpu_s"] > 0
    assert not psutil.pid_exists(found["pid"])


def test_a_file_that_is_gone_is_not_found(serving: Serving, tmp_path: Path) -> None:
    with serving(paths=[str(tmp_path / "gone.jpg")]) as port:
        assert get(port, "/0/gone.jpg")[0] == 404


@pytest.mark.parametrize("bandwidth", [None, 1e9])
def test_a_connection_takes_many_requests_however_they_arrive(serving: Serving, bandwidth: float | None) -> None:
    requests = b"".join(b"GET /%d/x HTTP/1.1\r\nHost: localhost\r\n\r\n" % (number % 3) for number in range(9))
    last = b"GET /0/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with serving(bandwidth=bandwidth) as port, socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(requests[:100])
        connection.sendall(requests[100:] + last)
        with connection.makefile("rb") as answers:
            content = answers.read()
    assert content.count(b"HTTP/1.1 200 OK") == 10
    assert all(content.count(photo) == 3 for photo in PHOTOS[1:])
    assert content.count(PHOTOS[0]) == 4


def answers_to(port: int, *requests: bytes) -> list[bytes]:
    """The status of the answer to each request, each sent over a connection of its own that the server closes."""
    answers = []
    for request in requests:
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as file:
                answers.append(file.readline().split(b" ")[1])
    return answers


def test_what_is_no_request_is_refused_and_the_server_goes_on(serving: Serving) -> None:
    head = b"GET /0/x HTTP/1.1\r\nHost: localhost\r\n"
    with serving() as port:
        assert answers_to(
            port,
            b"nonsense\r\n\r\n",
            b"GET /0/x HTTP/1.1\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n",
            head + b"Content-Length: 5\r\n\r\nhello",
            head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            head + b"X: " + b"x" * 70_000,
        ) == [b"400"] * 5 + [b"431"]
        assert answers_to(port, b"GET /" + b"9" * 5000 + b"/x HTTP/1.1\r\nHost: localhost\r\n\r\n") == [b"404"]
        assert get(port, "/0/x") == (200, PHOTOS[0])


def test_a_name_that_is_not_this_machines_is_refused(serving: Serving) -> None:
    """A page in a browser can be made to ask this machine by the name of another."""
    request = b"GET /0/x HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
    with serving() as port:
        hosts = (b"localhost", b"127.0.0.1:%d" % port, b"evil.example", b"evil.example:%d" % port)
        assert answers_to(port, *(request % host for host in hosts)) == [b"200", b"200", b"421", b"421"]


def test_a_page_in_a_browser_is_refused(serving: Serving) -> None:
    request = b"GET /0/x HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\nConnection: close\r\n\r\n"
    with serving() as port:
        assert answers_to(port, request % b"http://evil.example", request % b"null") == [b"403", b"403"]


def test_requests_that_are_never_finished_keep_no_other_from_its_answer(serving: Serving) -> None:
    with serving() as port, contextlib.ExitStack() as half_open:
        for _ in range(500):
            connection = half_open.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            connection.sendall(b"GET /0/x HTTP/1.1\r\nHost: local")
        assert get(port, "/0/x") == (200, PHOTOS[0])


def test_very_many_requests_at_once_are_answered_one_after_the_other(serving: Serving) -> None:
    request, many = b"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", 1500
    with serving() as port, socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(request * many + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        with connection.makefile("rb") as file:
            assert file.read().count(b"HTTP/1.1 404 Not Found") == many + 1


def test_many_requests_wait_at_the_same_time(serving: Serving) -> None:
    """One after the other they would take as long as all their latencies together."""
    many, latency_s = 96, 0.25
    with serving(latency_s=latency_s) as port, ThreadPoolExecutor(many) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda number: get(port, f"/{number % 3}/x"), range(many)))
        took_s = time.monotonic() - began
    assert answers == [(200, PHOTOS[number % 3]) for number in range(many)]
    assert latency_s <= took_s < many * latency_s / 4


def test_all_connections_share_the_bandwidth(serving: Serving) -> None:
    bandwidth = 4e6
    with serving(bandwidth=bandwidth) as port, ThreadPoolExecutor(6) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda number: get(port, f"/{number % 3}/x"), range(6)))
        took_s = time.monotonic() - began
    assert answers == [(200, photo) for photo in PHOTOS * 2]
    assert took_s >= 2 * sum(map(len, PHOTOS)) / bandwidth


def test_jitter_goes_both_ways_and_is_the_same_for_the_same_seed() -> None:
    def delays(seed: int) -> list[float]:
        link = Link(PATHS, latency_s=0.05, jitter_s=0.02, bandwidth=None, seed=seed)
        return [link.delay_s(number % 3) for number in range(300)]

    assert delays(1) == delays(1)
    assert delays(1) != delays(2)
    assert 0.03 <= min(delays(1)) < 0.035
    assert 0.065 < max(delays(1)) <= 0.07


def test_the_latency_of_a_request_does_not_depend_on_who_comes_first() -> None:
    one, other = (Link(PATHS, latency_s=0.05, jitter_s=0.02, bandwidth=None, seed=0) for _ in range(2))
    assert [one.delay_s(number) for number in (0, 1, 2)] == [other.delay_s(number) for number in (2, 1, 0)][::-1]


def test_a_line_that_was_idle_has_saved_nothing_up() -> None:
    link = Link([], latency_s=0, jitter_s=0, bandwidth=1000.0, seed=0)
    assert [link.sent_at(10.0, 100), link.sent_at(10.0, 100), link.sent_at(20.0, 100)] == pytest.approx([10.1, 10.2, 20.1])


def test_it_ends_with_the_conductor_however_that_ends() -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    script = f"""
import os, signal
from runner.pipeline.servers.children import child
plan = {{"paths": [], "latency_s": 0.0, "jitter_s": 0.0, "bandwidth": None, "seed": 0}}
services = {{}}
with child("image_server", {SERVER!r}, plan, services):
    print(services["image_server"]["pid"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == -signal.SIGKILL
    assert answer.stderr == ""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(answer.stdout)).wait(30)


def test_ctrl_c_is_not_for_it(serving: Serving, services: dict[str, Any]) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    with serving() as port:
        os.kill(services["image_server"]["pid"], signal.SIGINT)
        assert get(port, "/0/x")[0] == 200
        assert os.getpgid(services["image_server"]["pid"]) != os.getpgid(0)


def test_a_server_that_does_not_get_ready_fails_the_trial(services: dict[str, Any]) -> None:
    # A module without a ``main``.
    with pytest.raises(TrialFailed, match="image_server did not get ready"), child("image_server", "json", {}, services):
        pass


def test_a_server_that_dies_is_told(serving: Serving, services: dict[str, Any]) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    with serving():
        psutil.Process(services["image_server"]["pid"]).kill()
    assert services["image_server"]["error"] == f"it ended without a last word, with status {-signal.SIGKILL}"


@pytest.mark.parametrize("words", [["mode=thread"], ["mode=process"], ["mode=process", "mode.start_method=spawn"]])
def test_what_is_downloaded_gives_the_results_of_the_files(program: Program, words: list[str]) -> None:
    task = "pillow" if "mode.start_method=spawn" in words else "tensorflow"  # each spawned worker imports its own
    common = [
        *words,
        f"task={task}",
        "protocol=quick",
        "protocol.rounds=1",
        "protocol.epochs=2",
        "tracking=none",
        "images=6",
        "workers=2",
    ]
    for more in ([], ["source.serve=true", "source.serve_latency_s=0.02", "source.serve_bandwidth_mb_per_s=50"]):
        answer = program(*common, *more)
        assert answer.returncode == 0, answer.stderr
    files, served = (json.loads(path.read_text()) for path in sorted(program.folder.glob("outputs/runs/*/*/result.json")))
    assert files["trials"][0]["digest"] == served["trials"][0]["digest"]
    assert [image["path"] for image in files["images"]] == [image["path"] for image in served["images"]] == PATHS
    assert files["trials"][0]["services"] == {}
    # A warm-up epoch, two timed ones, and the three different images once more.
    assert served["trials"][0]["services"]["image_server"]["requests"] == 6 + 2 * 6 + 3
    for epoch in served["trials"][0]["epochs"]:
        assert epoch["read_s"] >= 6 * 0.02


@pytest.mark.parametrize("method", [None, "spawn"])
def test_it_is_no_part_of_the_trial(
    tmp_path: Path, supervisor: Supervisor, method: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    listen = Sampler.on_phase

    def look(self: Sampler, name: str, pids: Sequence[int]) -> None:
        seen.update(pids)
        listen(self, name, pids)

    monkeypatch.setattr(Sampler, "on_phase", look)
    subject = point(tmp_path / "point", source=Sample(serve=True, serve_latency_s=0.01))
    Session([subject], 0, Silent(), supervisor if method is None else Supervisor(method)).run()
    (trial,) = subject.trials
    assert trial["status"] == "ok", trial["error"]
    server = trial["services"]["image_server"]
    assert known(server["cpu_s"]) > 0
    assert seen
    assert server["pid"] not in seen


def test_a_trial_whose_server_does_not_start_is_recorded_as_failed(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    subject = point(tmp_path / "point", source=Sample(serve=True))
    Session([subject], 0, Silent(), supervisor).run()
    assert subject.status == "failed"
    assert subject.error is not None
    assert "image_server did not get ready" in subject.error["message"]
