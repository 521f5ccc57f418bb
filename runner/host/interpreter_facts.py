"""What matters about the Python of a process, and whether it can import what a trial needs.

Another interpreter runs this too. It may have no package at all, so that nothing but Python's own library is imported here.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TypedDict

from runner.errors import type_and_first_line

# Packages whose versions are recorded wherever they are installed.
PACKAGES = (
    "tensorflow", "tensorflow-cpu", "numpy", "pillow", "scipy", "hydra-core", "omegaconf", "mlflow", "psutil", "nvidia-ml-py", "ray",
)  # fmt: skip


class PythonFacts(TypedDict):
    """A Python, and the versions of packages that are installed for it. ``gil`` is whether it has a lock now."""

    python: str
    python_implementation: str
    python_build: str
    free_threaded_build: bool
    gil: bool
    packages: dict[str, str]


class Inspection(TypedDict):
    """What an interpreter says of itself: ``lacking`` are modules that are not there, ``broken`` why others cannot be imported."""

    facts: PythonFacts
    lacking: list[str]
    broken: list[str]


def python_facts(packages: Iterable[str] = PACKAGES) -> PythonFacts:
    """Of this process, with the versions of those of ``packages`` that are installed."""
    return {
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "python_build": f"{' '.join(platform.python_build())}, {platform.python_compiler()}",
        "free_threaded_build": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": has_lock(),
        "packages": {name: release for name in packages if (release := _version(name)) is not None},
    }


def has_lock() -> bool:
    """Whether this interpreter has one lock for all threads: a build without it takes one where a module asks for it."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def loaded_packages() -> list[str]:
    """The packages of ``PACKAGES``, and all others of which this process has loaded a module."""
    from importlib.metadata import packages_distributions  # slow

    of_module = packages_distributions()
    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    names = {name for module in loaded for name in of_module.get(module, ())}
    return [*PACKAGES, *sorted(name.lower() for name in names if name.lower() not in PACKAGES)]


def inspect(modules: Sequence[str]) -> None:
    """Import ``modules``, and print an ``Inspection`` as the last line, in JSON."""
    lacking, broken = dict[str, None](), list[str]()
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            lacking[(error.name or module).partition(".")[0]] = None
        except BaseException as error:
            broken.append(f"{module}: {type_and_first_line(error)}")
    found: Inspection = {"facts": python_facts(loaded_packages()), "lacking": list(lacking), "broken": broken}
    sys.stdout.write("\n" + json.dumps(found) + "\n")
    sys.stdout.flush()


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # slow, and a refusal needs no version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
