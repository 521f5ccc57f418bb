"""``faulty_task`` without TensorFlow: ready in no time where each worker would have to import it."""

from __future__ import annotations

from faulty_task import FaultyTask


class LightFaultyTask(FaultyTask):
    uses_tensorflow = False


PROVIDES = LightFaultyTask
