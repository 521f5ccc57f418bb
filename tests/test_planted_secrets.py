"""Secrets that are planted wherever users put them are in no file, no row, no line and no command line that comes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from support import planted
from support.planted import MARK, OPTIONS, VARIABLES, found_in
from support.program import Program
from support.small_sweep import RUN
from support.stores import sweep_in
from support.troublesome_image_server import TroublesomeServer

pytestmark = pytest.mark.slow

QUICK = ("task=pillow", "task.size=8", "mode=sequential", "images=2", "monitor=off", "protocol=quick", "protocol.rounds=1")


@pytest.fixture
def place(photo_server: TroublesomeServer) -> Iterator[str]:
    photo_server.files[f"/{MARK}A0dEfGhIjKlMnOpQr5/a.jpg"] = photo_server.files["/a.jpg"]
    yield photo_server.url("").removeprefix("http://")
    photo_server.released.set()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_forty_planted_secrets_are_nowhere(program: Program, place: str) -> None:
    addresses = planted.addresses(place, "/a.jpg")
    assert len(VARIABLES) + len(planted.FIELDS) + len(addresses) - 1 + OPTIONS.count(MARK) + 3 >= 40
    words = [
        "source=url", f"source.url={[*addresses]}".replace('"', "'"), f"source.options={OPTIONS}", "sink=http", f"sink.url=http://bob:{MARK}-s01@{place}/sink",
        "sink.retries=0", "protocol.max_failed_pct=100", "tracking.experiment=planted", "workers=1,2", *QUICK, "images=6", "-m",
    ]  # fmt: skip
    process = subprocess.Popen(
        program.command(*words), cwd=program.folder, env=os.environ | VARIABLES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    lines = command_lines_of_children(process)
    out, err = process.communicate()
    assert (program.folder / "outputs" / "mlflow.db").exists(), out + err
    written = files_below(program.folder / "outputs")
    assert {"result.json", "multirun.yaml", "sweep.json", "report.html", "runner.log", "config.yaml"} <= {
        path.name for path in written
    }
    assert found_in(written, out, err, *lines) == []
    assert any("fork" in line for line in lines)


def command_lines_of_children(process: subprocess.Popen[str]) -> set[str]:
    """Of all that the program starts, as long as it runs."""
    seen: set[str] = set()
    while process.poll() is None:
        try:
            seen.update(" ".join(child.cmdline()) for child in psutil.Process(process.pid).children(recursive=True))
            process.wait(0.05)
        except (psutil.Error, subprocess.TimeoutExpired):
            continue
    return seen


@pytest.mark.parametrize(
    "words",
    [
        ["source=url", f"source.url=http://bob:{MARK} a'b\"c@HOST/a.jpg"],
        ["source=url", f"source.url=http://bob:{MARK}/a?b#c@HOST/a.jpg"],
        ["source=url", f"source.url=http://bob:{MARK}@[::1/a.jpg"],
        ["source=url", "source.url=s3://bucket/a.jpg", f"source.options={{key:{MARK}}}"],
        ["source=url", "source.url=http://HOST/a.jpg", f"source.options={{headers:{{'X a':{MARK}}}}}"],
        ["source=url", f"source.url=http://HOST/a.jpg?pw={MARK} and more", "source.options={bad:1}"],
        ["source=url", f"source.url=http://127.0.0.1:9/a.jpg?code={MARK}", "source.retries=0"],
        ["source=url", f"source.url=http://HOST/500/9/{MARK}A0dEfGhIjKlMnOpQr5/a.jpg", "source.retries=0"],
        ["sink=http", f"sink.url=http://bob:{MARK}/x@HOST/sink"],
        ["sink=file", f"sink.url=ftp://bob:{MARK}-long@127.0.0.1:9/x"],
        ["tracking=server", f"tracking.uri=http://bob:{MARK}/x@127.0.0.1:9"],
        ["tracking=server", f"tracking.uri=postgresql://bob:{MARK}@127.0.0.1:9/x"],
        ["mode=ray", f"mode.address=ray://bob:{MARK}@127.0.0.1:9"],
        [f"+hydra.job.env_set.DB={MARK}-env", "workers=x"],
        [f"workers=http://bob:{MARK}@h"],
        [f"nothing.api_token={MARK}-name"],
        [f"source.url=http://bob:{MARK}@h", "(unreadable"],
        ["source=file", f"source.path='photo.jpg?X-Amz-Signature={MARK}'"],
        ["task=function", "task.function=leaky:go"],
        ["task=function", "task.function=leaky:raise_at_import"],
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_said_without_them(program: Program, place: str, words: list[str]) -> None:
    check_a_failure(program, [word.replace("HOST", place) for word in words])


@pytest.mark.parametrize(
    "words",
    [
        ["source=url", f"source.url=http://bob:{MARK} a'b\"c@HOST/a.jpg"],
        ["source=url", f"source.url=http://127.0.0.1:9/a.jpg?code={MARK}", "source.retries=0"],
        [f"+hydra.job.env_set.DB={MARK}-env", "workers=x"],
        ["task=function", "task.function=leaky:raise_at_import"],
    ],
)
def test_a_traceback_that_is_asked_for_has_none_either(program: Program, place: str, words: list[str]) -> None:
    check_a_failure(program, [word.replace("HOST", place) for word in words], HYDRA_FULL_ERROR="1")


def check_a_failure(program: Program, words: list[str], **variables: str) -> None:
    (program.folder / "leaky.py").write_text(LEAKY)
    answer = program.cold(*RUN, "protocol=once", *words, AWS_SECRET_ACCESS_KEY=f"{MARK}-env-key", **variables)
    assert found_in(files_below(program.folder / "outputs"), answer.stdout, answer.stderr) == []
    assert "Error executing job" not in answer.stderr
    assert answer.stdout + answer.stderr


# What user's code, or a library below it, does with a secret: raises, warns, logs and prints it.
LEAKY = """
import logging, os, sys, threading, warnings

SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]

def go(data):
    print("http://bob:" + SECRET + "@h")
    sys.stderr.write("token " + SECRET + "\\n")
    warnings.warn("key " + SECRET)
    logging.getLogger("boto").warning("signing with %s", SECRET)
    thread = threading.Thread(target=lambda: 1 / 0 if SECRET else None, name=SECRET)
    thread.start()
    thread.join()
    os.write(2, ("from C: " + SECRET + "\\n").encode())
    raise ValueError("403 for X-Api-Key " + SECRET)

def __getattr__(name):
    raise RuntimeError(SECRET)
"""

# Ends the program where Hydra has just written a file of its own.
ENDS_AT_HYDRAS_FILES = """
import os, signal, sys
if "runner" in " ".join(sys.orig_argv):
    import hydra.core.utils as utils
    saved = utils._save_config
    def save(config, name, folder):
        saved(config, name, folder)
        if name == "overrides.yaml":
            os.kill(os.getpid(), signal.SIGKILL)
    utils._save_config = save
"""


@pytest.mark.parametrize("more", [["workers=1"], ["workers=1,2", "-m"]], ids=["run", "sweep"])
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_hydras_files_hold_none_even_where_the_program_is_killed_at_once(program: Program, place: str, more: list[str]) -> None:
    (program.folder / "mine" / "experiment").mkdir(parents=True)
    preset = f"# @package _global_\nsource:\n  options:\n    headers: {{X-Vault: {MARK}-preset}}\n"
    (program.folder / "mine" / "experiment" / "vault.yaml").write_text(preset)
    (program.folder / "first").mkdir()
    (program.folder / "first" / "sitecustomize.py").write_text(ENDS_AT_HYDRAS_FILES)
    path = os.pathsep.join([str(program.folder / "first"), os.environ.get("PYTHONPATH", "")])
    words = ["source=url", f"source.url='http://ann:{MARK}-k01@{place}/a.jpg?sid={MARK}-k02'", *QUICK, "tracking=none"]
    answer = program.cold("--config-dir", "mine", "experiment=vault", *words, *more, PYTHONPATH=path)
    assert answer.returncode == -9, answer.stdout + answer.stderr
    written = files_below(program.folder / "outputs")
    assert {"config.yaml", "hydra.yaml", "overrides.yaml"} <= {file.name for file in written}
    assert found_in(written, answer.stdout, answer.stderr) == []
    for file in written:
        if file.suffix == ".yaml":
            assert yaml.safe_load(file.read_text())


def test_the_jobs_of_another_launcher_get_them_by_their_environment(
    program: Program, photo_server: TroublesomeServer, place: str
) -> None:
    (program.folder / "mine" / "experiment").mkdir(parents=True)
    preset = f"# @package _global_\nsource:\n  options:\n    headers: {{X-Vault: {MARK}-preset}}\n"
    (program.folder / "mine" / "experiment" / "vault.yaml").write_text(preset)
    url = f"source.url='http://ann:{MARK}-j01@{place}/a.jpg?sid={MARK}-j02'"
    words = ["hydra/launcher=joblib", "source=url", url, *QUICK, "tracking=none", "workers=1,2", "-m"]
    answer = program.cold("--config-dir", "mine", "experiment=vault", *words)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {headers.get("X-Vault") for headers in photo_server.headers} == {f"{MARK}-preset"}
    assert found_in(files_below(program.folder / "outputs"), answer.stdout, answer.stderr) == []


def test_a_sweep_with_a_secret_is_resumed_where_it_is_given_again(program: Program, place: str) -> None:
    url = f"source.url='http://ann:{MARK}-r01@{place}/a.jpg','http://ann:{MARK}-r02@{place}/a.jpg'"
    answer = program("source=url", url, f"source.options={OPTIONS}", *QUICK, "tracking=none", "-m")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    folder = sweep_in(program.folder)
    (folder / "1" / "result.json").unlink()

    refused = program(f"resume={folder}")
    assert refused.returncode == 1
    assert "had a secret in it, which is in no record" in refused.stderr
    resumed = program(f"resume={folder}", url, f"source.options={OPTIONS}", "--allow", "contact")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert (folder / "1" / "result.json").exists()
    assert (
        found_in(files_below(folder), *(text for one in (answer, refused, resumed) for text in (one.stdout, one.stderr))) == []
    )


def test_a_rerun_asks_for_a_secret_that_no_record_has(program: Program, place: str) -> None:
    url = f"source.url='http://ann:{MARK}-r01@{place}/a.jpg'"
    assert program("source=url", url, *QUICK, "tracking=none").returncode == 0
    (folder,) = (path.parent for path in program.folder.glob("outputs/runs/*/*/result.json"))
    refused = program("rerun", str(folder), "--allow", "contact")
    assert refused.returncode == 1
    assert "had a secret in it" in refused.stderr
    again = program("rerun", str(folder), url)
    assert again.returncode == 0, again.stderr
    assert found_in(files_below(program.folder / "outputs"), refused.stderr, again.stdout, again.stderr) == []


def test_only_variables_that_are_listed_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.host.environment import environment

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    environment.cache_clear()
    try:
        variables: dict[str, Any] = environment()["variables"]
    finally:
        environment.cache_clear()
    assert variables["OMP_NUM_THREADS"] == "3"
    assert not VARIABLES.keys() & variables.keys()
