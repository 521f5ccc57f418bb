"""A server whose answer drips, or has no end, costs seconds and megabytes; and Ctrl-C is heard while one hangs."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator

import pytest
from support.program import Program, processes_of
from support.protocol import started
from support.tracking import sync

if sys.platform == "win32":
    pytest.skip("signals and limits of POSIX", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")]

_HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """Answers each request with ``header`` and then ``part`` again and again, ``pause_s`` apart.

    Attributes:
        asked: is set when a request has come.
    """

    def __init__(self, header: bytes, part: bytes, pause_s: float) -> None:
        self._answer = header, part, pause_s
        self.asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._end = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        header, part, pause_s = self._answer
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            self.asked.set()
            connection.sendall(header)
            while not self._end.wait(pause_s):
                connection.sendall(part)

    def close(self) -> None:
        self._end.set()
        self._listener.close()


@contextlib.contextmanager
def serving(header: bytes, part: bytes, pause_s: float = 0.0) -> Iterator[Server]:
    server = Server(header, part, pause_s)
    try:
        yield server
    finally:
        server.close()


def endless_gzip() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)


ANSWERS = {
    "a body that drips": (_HEADER + b"\r\n", b" ", 0.2),
    "a header that drips": (_HEADER + b"X-Drip: ", b"x", 0.2),
    "a body without end": (_HEADER + b"\r\n", b" " * (1 << 20), 0.0),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_mlflows_server_is_given_up_soon_and_with_one_message(copied: Program, kind: str) -> None:
    with serving(*ANSWERS[kind]) as server:  # read to its end, it would take for ever
        answer = copied.cold("sync", "outputs", "--uri", server.url, MLFLOW_HTTP_REQUEST_TIMEOUT="1")
    assert answer.returncode == 1
    assert answer.stdout.count(server.url) == 1
    assert "Traceback" not in answer.stdout + answer.stderr


def test_an_answer_without_end_does_not_fill_the_memory(copied: Program) -> None:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    words = [sys.executable, "-m", "runner", "sync", "outputs", "--uri"]
    with serving(*ANSWERS["a body without end"]) as server:
        answer = subprocess.run(
            [*words, server.url], cwd=copied.folder, capture_output=True, text=True, timeout=200, check=False
        )
    assert answer.returncode == 1
    assert "the server's answer has no end in sight" in answer.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 1_000_000)  # kilobytes


def test_a_compressed_answer_is_taken_up_to_less(copied: Program) -> None:
    header = _HEADER + b"Content-Encoding: gzip\r\n\r\n"
    with serving(header, endless_gzip()) as server:
        answer = sync(copied, "--uri", server.url)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stdout + answer.stderr


@pytest.mark.parametrize("kind", ["a body that drips", "a header that drips", "a body without end"])
def test_an_image_whose_server_drips_is_refused_within_its_time(program: Program, kind: str) -> None:
    words = ["source.timeout_s=1", "source.retries=0", "source.max_bytes=1000000", "task=pillow", "tracking=none"]
    with serving(*ANSWERS[kind]) as server:
        answer = program("source=url", f"source.url={server.url}/a.jpg", *words)
    assert answer.returncode == 1
    assert "cannot be fetched" in answer.stderr


@pytest.mark.parametrize("images", [1, 12])
def test_ctrl_c_is_heard_at_once_while_a_server_hangs_at_the_first_look(program: Program, marker: str, images: int) -> None:
    with serving(b"", b"", 3600.0) as server:
        urls = ",".join(f"{server.url}/{number}.jpg" for number in range(images))
        words = ["source=url", f"source.url=[{urls}]", "source.timeout_s=200", "task=pillow", "tracking=none"]
        process = started(program, marker, *words)
        assert server.asked.wait(120)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"Traceback" not in stderr
    assert processes_of(marker) == []
