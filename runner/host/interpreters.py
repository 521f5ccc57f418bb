"""Other interpreters than this one, in which trials can run: found, asked what they are, and given this program's code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runner.errors import ConfigurationError
from runner.host.interpreter_facts import Inspection, PythonFacts

KEY = "python"

# The oldest Python that this program's code runs on.
_OLDEST = (3, 11)

# How long an interpreter may take to say what it is; it imports TensorFlow where that is needed.
_LIMIT_S = 180

# Written so that any Python reads it.
_ASK = f"""\
import sys
if sys.version_info < {_OLDEST}:
    sys.exit("is Python %d.%d.%d" % tuple(sys.version_info[:3]))
from runner.host.interpreter_facts import inspect
inspect(sys.argv[1:])
"""

# Variables that are about this interpreter only.
_OWN = ("PYTHONHOME", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")

# What its authors call a package, and what it is installed by, where a module has another name.
_NAMES: Mapping[str, tuple[str, str]] = {
    "PIL": ("Pillow", "pillow"),
    "cv2": ("OpenCV", "opencv-python-headless"),
    "numpy": ("NumPy", "numpy"),
    "tensorflow": ("TensorFlow", "tensorflow"),
    "torch": ("PyTorch", "torch"),
    "spdl": ("SPDL", "spdl-core"),
    "grain": ("Grain", "grain"),
}


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that can run trials.

    Attributes:
        path: of its executable, absolute.
        facts: what it said of itself, before the first trial.
    """

    path: str
    facts: PythonFacts


def interpreter(named: str, modules: Sequence[str]) -> Interpreter:
    """The interpreter that ``python=named`` means: a path, or a command such as ``python3.12``.

    Args:
        named: as the user has it.
        modules: what a trial would import there.

    Raises:
        ConfigurationError: there is none, or it cannot import these.
    """
    path = _executable(named)
    try:
        found = _asked(path, tuple(modules))
    except _UnfitError as error:
        raise ConfigurationError(KEY, named, str(error), _accepted(error.lacking)) from None
    return Interpreter(path, found["facts"])


def variables() -> dict[str, str | None]:
    """The environment variables by which another interpreter finds this program's code, and none that is meant for this one; None is unset."""
    beside = [str(Path(__file__).with_name("for_others")), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    own = str(Path(__file__).resolve().parents[2])
    path = [entry for entry in dict.fromkeys(beside) if os.path.abspath(entry) != own]  # noqa: PTH100  (as a text)
    return dict.fromkeys(_OWN) | {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


class _UnfitError(Exception):
    """An interpreter cannot run trials; ``lacking`` are modules that it would need for that."""

    def __init__(self, reason: str, lacking: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.lacking = lacking


def _executable(named: str) -> str:
    separators = {os.sep, os.altsep or os.sep}
    path: str | None = os.path.expanduser(named)  # noqa: PTH111  (pathlib's raises where there is no home)
    if separators.isdisjoint(named):
        path = shutil.which(named)
    if not path or not os.path.exists(path):  # noqa: PTH110
        raise ConfigurationError(KEY, named, "does not exist", _accepted(()))
    if os.path.isdir(path) or not os.access(path, os.X_OK):  # noqa: PTH112
        raise ConfigurationError(KEY, named, "cannot be executed", _accepted(()))
    # A link is not followed: by its own place an interpreter knows the environment that it belongs to.
    return os.path.abspath(path)  # noqa: PTH100


def _accepted(lacking: Sequence[str]) -> str:
    with_them = f" with {', '.join(_shown(module) for module in lacking)}" if lacking else ""
    install = f": PATH -m pip install {' '.join(_package(module) for module in lacking)}" if lacking else ""
    return f"the path of an interpreter of Python {'.'.join(map(str, _OLDEST))} or later{with_them}{install}"


def _shown(module: str) -> str:
    return _NAMES.get(module, (module, module))[0]


def _package(module: str) -> str:
    return _NAMES.get(module, (module, module))[1]


@cache
def _asked(path: str, modules: tuple[str, ...]) -> Inspection:
    """What the interpreter says of itself; it is asked once, because all points of a sweep share it.

    Raises:
        _UnfitError: it is none, or cannot import these modules.
    """
    environment = {name: value for name, value in {**os.environ, **variables()}.items() if value is not None}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        done = subprocess.run(  # noqa: S603  (the user has named it)
            [path, "-c", _ASK, *modules], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _UnfitError(f"did not say what it is within {_LIMIT_S} s") from None
    except OSError as error:
        raise _UnfitError(f"cannot be executed: {error.strerror or error}") from None
    said = done.stdout.decode(errors="replace").strip().splitlines()
    try:
        found: Inspection = json.loads(said[-1])
        lacking, broken = found["lacking"], found["broken"]
    except (ValueError, KeyError, TypeError, IndexError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = last[0][:200] if last else f"ended with status {done.returncode}"
        raise _UnfitError(reason if reason.startswith("is Python ") else f"is no Python that can be used: {reason}") from None
    if lacking:
        raise _UnfitError(f"lacks {', '.join(map(_shown, lacking))}", lacking)
    if broken:
        raise _UnfitError(f"cannot import what the trial needs: {broken[0]}")
    return found
