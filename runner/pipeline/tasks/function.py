"""``task=function``: a function of your own, ``def f(data: bytes)``, named by ``task.function=package.module:name``.

It is imported from your own environment, in the worker and after TensorFlow's runtime has started with the threads asked for,
which it may use; its import is a part of the start-up. Nothing but the name you give makes the program import it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from runner.config.options import Function
from runner.errors import ConfigurationError, ImageError
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import ArrayTask

_ACCEPTED = "package.module:name of a function that takes the bytes of an image"


class FunctionTask(ArrayTask):
    """The result is what the function returns: a NumPy array, bytes, or a tensor (whatever has ``numpy()``)."""

    def __init__(self, config: Function, images: Sequence[Image]) -> None:  # noqa: ARG002  (any image will do)
        self._name = config.function
        self._function = _imported(config.function)

    def run(self, data: bytes, image: Image) -> Any:  # noqa: ARG002  (the function gets the bytes and no more)
        result = self._function(data)
        if not isinstance(result, np.ndarray | bytes) and not hasattr(result, "numpy"):
            kind = type(result).__name__
            raise ImageError(f"{self._name} returned {kind}; a NumPy array, bytes or a tensor was expected")
        return result

    def array(self, result: Any) -> Any:
        if isinstance(result, bytes):
            return np.frombuffer(result, np.uint8)
        return result if isinstance(result, np.ndarray) else result.numpy()


def _imported(named: str) -> Callable[[bytes], Any]:
    module, _, name = named.partition(":")
    try:
        function = getattr(import_module(module), name)
    except ImportError as error:
        raise ConfigurationError("task.function", named, f"cannot be imported: {error}", _ACCEPTED) from error
    except AttributeError as error:
        raise ConfigurationError("task.function", named, f"{module} has no {name}", _ACCEPTED) from error
    if not callable(function):
        raise ConfigurationError("task.function", named, f"is no function but {type(function).__name__}", _ACCEPTED)
    return function  # type: ignore[no-any-return]


PROVIDES = FunctionTask
