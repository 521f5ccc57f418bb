"""What is done to each image: a task turns the bytes of one into a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from runner.pipeline.sources.image import Image


class Task(Protocol):
    """Built once in every worker process, then used by all its threads at the same time."""

    def run(self, data: bytes, image: Image) -> Any:
        """The result for the bytes of ``image``, of the task's own type.

        Raises:
            Exception: whatever goes wrong; the image has failed then, and the epoch goes on.
        """

    def array(self, result: Any) -> Any:
        """``result`` as a NumPy array, without a copy where that is possible."""

    def digest(self, result: Any) -> bytes:
        """A hash of ``result``: equal exactly where the results are equal bit by bit."""


class TaskFactory(Protocol):
    """What a task's file provides: built from its option and the images it will be asked for."""

    def __call__(self, config: Any, images: Sequence[Image]) -> Task:
        """The task with this option, for these images."""
