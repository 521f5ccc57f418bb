"""TensorFlow's threads in every worker."""

from __future__ import annotations

from dataclasses import dataclass

from runner.config.fields import option
from runner.config.options.base import Option


@dataclass
class Tf(Option):
    """TensorFlow's threading in every worker; 0 is TensorFlow's own choice."""

    intra_op: int = option(0, "threads inside one op", at_least=0, at_most=1024)
    inter_op: int = option(0, "ops at the same time", at_least=0, at_most=1024)
