"""``task=function``: a function of your own, ``def f(data: bytes)``, named by ``task.function=package.module:name``.

It is imported from your own environment, in the worker and after TensorFlow's runtime has started with the threads asked for,
which it may use; its import is a part of the start-up. Nothing but the name you give makes the program import it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.config.options import Function
from runner.errors import ImageError
from runner.pipeline.own_code import imported
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import ArrayTask

_ACCEPTED = "package.module:name of a function that takes the bytes of an image"


class FunctionTask(ArrayTask):
    """The result is what the function returns: a NumPy array, bytes, or a tensor (whatever has ``numpy()``)."""

    def __init__(self, config: Function, images: Sequence[Image]) -> None:  # noqa: ARG002  (any image will do)
        self._name = config.function
        self._function = imported("task.function", config.function, _ACCEPTED)

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


PROVIDES = FunctionTask
