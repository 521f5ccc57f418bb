"""Checks of a task that take more than one field, or a look at what is installed; nothing is imported for them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

from runner.config.options import STEPS, Function, Opencv, StepsOption, TaskOption, Tensorflow
from runner.errors import ConfigurationError

_ACCEPTED_STEPS = "a list of different steps, decode first, colour before standardize, out of " + ", ".join(STEPS)


def check_task(task: TaskOption) -> None:
    """Refuse what no worker could do.

    Raises:
        ConfigurationError: it names the key, what was given, and what is accepted.
    """
    if isinstance(task, Opencv) and find_spec("cv2") is None:
        accepted = "an environment with the extra opencv: pip install 'image-pipeline-runner[opencv]'"
        raise ConfigurationError("task", task.name, "takes OpenCV, which is not installed", accepted)
    if isinstance(task, StepsOption):
        _check_steps(task)
    if isinstance(task, Function):
        _check_function(task.function)


def last_bits_depend_on_threads(task: TaskOption) -> bool:
    """Whether TensorFlow takes a mean over so many pixels that ``tf.intra_op`` threads share the sum, each in its own order.

    Of images of 224 × 224 pixels the result has been found the same bit by bit with 1 to 8 threads; of larger ones it is not.
    """
    if not isinstance(task, Tensorflow):
        return False
    small = task.steps.index("resize") if "resize" in task.steps and task.size <= 224 else len(task.steps)
    return not {"standardize", "colour"}.isdisjoint(task.steps[:small])


def _check_steps(task: StepsOption) -> None:
    reason = _wrong_with(task.steps)
    if reason is not None:
        raise ConfigurationError("task.steps", f"[{','.join(map(str, task.steps))}]", reason, _ACCEPTED_STEPS)
    if "colour" in task.steps and task.channels != 3:
        raise ConfigurationError("task.channels", task.channels, "has no colour for the step colour to change", "3")


def _wrong_with(steps: Sequence[str]) -> str | None:
    for step in steps:
        if step not in STEPS:
            near = difflib.get_close_matches(str(step), STEPS, n=1)
            return f"there is no step {step}" + (f"; did you mean {near[0]}?" if near else "")
        if steps.count(step) > 1:
            return f"has {step} twice"
    if not steps or steps[0] != "decode":
        return "does not begin with decode"
    if {"colour", "standardize"} <= set(steps) and steps.index("colour") > steps.index("standardize"):
        return "has colour after standardize, when there are no levels from 0 to 255 any more"
    return None


def _check_function(named: str) -> None:
    """That the module is there. Whether it has the function is known when a worker has imported it: nothing of it runs here."""
    module = named.partition(":")[0]
    folders: Sequence[str] | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = _found(".".join(parts[:count]), folders)
        if spec is None or (count < len(parts) and spec.submodule_search_locations is None):
            missing = ".".join(parts[:count] if spec is None else parts[: count + 1])
            accepted = "package.module:name of a module on the path; PYTHONPATH=. where it is a file of this folder"
            raise ConfigurationError("task.function", named, f"there is no module {missing}", accepted)
        folders = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)


def _found(module: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    """What ``import`` would find; ``find_spec`` of ``importlib.util`` runs the packages that a module is in, this runs nothing."""
    specs = (finder.find_spec(module, folders) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)
