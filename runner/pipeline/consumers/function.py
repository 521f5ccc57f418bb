"""``consumer=function``: a step of your own, ``def f(batch)``, named by ``consumer.function=package.module:name``.

It is imported from your own environment, in the trial, after its workers have been started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.config.options import StepFunction
from runner.pipeline.own_code import imported

_ACCEPTED = "package.module:name of a function that takes a batch"


class FunctionStep:
    """Calls the function with each batch."""

    def __init__(self, config: StepFunction) -> None:
        self._function = imported("consumer.function", config.function, _ACCEPTED)

    def step(self, batch: Any) -> None:
        self._function(batch)

    def outcome(self) -> Mapping[str, Any]:
        return {}


PROVIDES = FunctionStep
