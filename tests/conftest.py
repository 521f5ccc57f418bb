from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.program import Program, processes_of
from support.trials import Trials

from runner.config.options import Sample
from runner.pipeline.sources import Image, images_of
from runner.trial.supervisor import Supervisor

# Where fixtures are that several files share.
pytest_plugins = [
    "support.advice", "support.config", "support.environments", "support.machines", "support.ray", "support.report", "support.rows_cases", "support.sinks",
    "support.tracking", "support.url_source",
]  # fmt: skip

# What these tests start takes seconds: the program, with MLflow and TensorFlow imported; a cluster; a browser; a server.
_SLOW_FIXTURES = frozenset(
    {
        "advised",
        "browser",
        "cluster",
        "forking",
        "logged",
        "other_pillow",
        "program",
        "recorded",
        "s3",
        "stored",
        "submitted",
        "swept",
    }
)
# Workers of these import what they need by themselves, TensorFlow perhaps.
_SLOW_PARAMETERS = frozenset({"forkserver", "loky", "ray", "spawn", "torch"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``make test-fast`` leaves out, so that a new test does not have to know."""
    for item in items:
        parameters = frozenset(re.split(r"[^a-z_]+", item.name.partition("[")[2]))
        if _SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or _SLOW_PARAMETERS & parameters:
            item.add_marker(pytest.mark.slow)


# A test that can fail because the machine is busy is no test: nothing here has a time of its own.
settings.register_profile(
    "suite", max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("suite"), max_examples=2_000, derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="session", autouse=True)
def _a_host_lock_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests run side by side, and beside other programs: none of them is a measurement that another would spoil."""
    os.environ["RUNNER_LOCK_DIR"] = str(tmp_path_factory.mktemp("lock"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def supervisor() -> Supervisor:
    """One for all tests: its fork server imports TensorFlow once."""
    supervisor = Supervisor()
    supervisor.warm()
    return supervisor


@pytest.fixture(scope="session")
def sample() -> Sequence[Image]:
    return images_of(Sample(), 15)


@pytest.fixture
def trials(supervisor: Supervisor, sample: Sequence[Image], tmp_path: Path) -> Trials:
    return Trials(supervisor, sample, tmp_path / "runner.log")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[str]:
    """A word that marks the processes of this test; whatever is left of them is ended."""
    word = f"test-{os.getpid()}-{tmp_path.name}"
    yield word
    for process in processes_of(word):
        process.kill()
