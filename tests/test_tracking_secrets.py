"""No password or token reaches a record, a log or MLflow."""

from __future__ import annotations

import json

import pytest
from support.program import Program
from support.stores import runs_at

pytestmark = pytest.mark.slow


def test_no_secret_reaches_a_record_a_log_or_mlflow(program: Program, server: str) -> None:
    host = server.removeprefix("http://")
    secret = "hunter2"  # noqa: S105
    answer = program.cold(
        "protocol=once", "workers=1,2", "task=pillow", "images=2", "tracking=server", f"tracking.uri=http://somebody:{secret}@{host}",
        "tracking.experiment=secrets", "-m",
        MLFLOW_REGISTRY_TOKEN=secret, TF_SECRET=secret, MLFLOW_S3_ENDPOINT_URL=f"https://me:{secret}@store",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert secret not in answer.stdout + answer.stderr
    files = [path for path in (program.folder / "outputs").rglob("*") if path.is_file()]
    assert {"result.json", "sweep.json", "multirun.yaml", "config.yaml", "overrides.yaml", "runner.log"} <= {
        path.name for path in files
    }
    for path in files:
        assert secret.encode() not in path.read_bytes(), path
    runs = runs_at(server, "secrets")
    assert len(runs) == 3
    assert secret not in json.dumps(runs)
    record = next(path for path in files if path.name == "result.json").read_text()
    assert "MLFLOW_REGISTRY_TOKEN" not in json.loads(record)["environment"]["variables"]
    command = json.loads(record)["command"]
    assert host.partition(":")[2] in command
    assert "@" not in command


def test_an_unreachable_servers_credentials_are_not_in_its_message(program: Program) -> None:
    uri = "tracking.uri=http://me:hunter2@127.0.0.1:9"
    answer = program("protocol=once", "workers=1", "images=2", "tracking=server", uri)
    assert answer.returncode == 0
    assert "127.0.0.1:9" in answer.stderr
    assert "hunter2" not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://user:pass@host/path", "http://***@host/path"),
        ("https://token@host", "https://***@host"),
        ("source.url='s3://KEY:a+b/c@bucket/x'", "source.url='s3://***@bucket/x'"),
        ("https://host/a.jpg?X-Amz-Signature=abc&width=3", "https://host/a.jpg?X-Amz-Signature=***&width=3"),
        ("https://host/a?sig=abc&api_key=def&keyword=cat", "https://host/a?sig=***&api_key=***&keyword=cat"),
        (r"url=https\://me\:pass@host/a?sig\=abc", r"url=https\://***@host/a?sig\=***"),
        ("mail me@host, see http://host/me@home", "mail me@host, see http://host/me@home"),
    ],
)
def test_credentials_in_addresses_are_masked_and_nothing_else(text: str, safe: str) -> None:
    from runner.secrets import masked

    assert masked(text) == safe


def test_what_has_a_secrets_name_is_masked_whole() -> None:
    from runner.secrets import masked_data, masked_override

    assert masked_data({"password": "x", "path": "y", "n": 3, "list": [{"api_key": "z"}]}) == {
        "password": "***", "path": "y", "n": 3, "list": [{"api_key": "***"}],
    }  # fmt: skip
    assert masked_override("source.options.secret=abc") == "source.options.secret=***"
    assert masked_override("workers=3") == "workers=3"
