"""``faulty_task`` without TensorFlow: ready in no time where each worker would have to import it."""

from __future__ import annotations

from dataclasses import dataclass

from support import faulty_task


@dataclass
class Fault(faulty_task.Fault):
    """The same."""

    uses_tensorflow: bool = False


PROVIDES = faulty_task.FaultyTask
