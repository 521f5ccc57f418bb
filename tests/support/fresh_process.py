"""A function called in a process that has imported nothing yet, as a worker that is spawned is, and that may not import TensorFlow."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PROGRAM = "import sys; from support.fresh_process import main; main()"


class TensorflowImported(Exception):
    """What was called in a fresh process has asked for TensorFlow, which ended it."""


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` returns there; it and the arguments are pickled.

    Raises:
        TensorflowImported: it began to import TensorFlow.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    answer = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=pickle.dumps((function, arguments)), env=environment, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr.decode()
    kind, value = pickle.loads(answer.stdout)  # noqa: S301  (of this program)
    if kind == "tensorflow":
        raise TensorflowImported
    return value


class _EndsAtTensorflow:
    """Ends the process as soon as something looks for TensorFlow: importing it would take five seconds."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "tensorflow":
            _answer("tensorflow", None)


def main() -> None:
    """Be that process."""
    sys.meta_path.insert(0, _EndsAtTensorflow())
    function, arguments = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  (of this program)
    _answer("value", function(*arguments))


def _answer(kind: str, value: Any) -> None:
    sys.stdout.buffer.write(pickle.dumps((kind, value)))
    sys.stdout.flush()
    os._exit(0)
