"""Results in a bucket of an S3 server, and in the memory of a process."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.program import Program
from support.sinks import IMAGES, PASSES, trial_of
from support.troublesome_server import free_port

from runner.config.options import (
    ToFile,
)
from runner.trial.supervisor import Supervisor


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
