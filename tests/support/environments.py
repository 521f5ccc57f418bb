"""Real environments beside that of the tests, each with few packages, and one with another version of one."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

# A version that is not the installed one, and has a wheel for each Python that the program runs on.
OTHER_PILLOW = next(version for version in ("11.3.0", "11.2.1") if version != distribution("pillow").version)


def environment(folder: Path, *packages: str) -> Path:
    """The interpreter of a new environment in which the tests' own versions of these packages are found, and no others."""
    venv.EnvBuilder(symlinks=True).create(folder)
    for package in packages:
        installed = distribution(package)
        for top in {file.parts[0] for file in installed.files or () if file.parts[0] != ".."}:
            _site(folder).joinpath(top).symlink_to(Path(str(installed.locate_file(top))))
    return folder / "bin" / "python"


def with_other_pillow(folder: Path, *packages: str) -> Path:
    """The same with another version of Pillow, from the registry."""
    python = environment(folder, *packages)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    words = [*pip, "--only-binary=:all:", "--target", str(_site(folder)), f"pillow=={OTHER_PILLOW}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"takes a registry: {done.stderr.strip().splitlines()[-1:]}")
    return python


def _site(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))


@pytest.fixture(scope="session")
def pillow_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what ``task=pillow`` needs, in the versions of the tests, and nothing else."""
    return environment(tmp_path_factory.mktemp("here"), "numpy", "psutil", "pillow")


@pytest.fixture(scope="session")
def other_pillow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with another version of Pillow."""
    return with_other_pillow(tmp_path_factory.mktemp("other"), "numpy", "psutil")


@pytest.fixture(scope="session")
def no_pillow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without Pillow."""
    return environment(tmp_path_factory.mktemp("none"), "numpy", "psutil")
