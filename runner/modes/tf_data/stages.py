"""What each stage of the dataset took, what TensorFlow chose for it, and which was the slowest.

What TensorFlow chose, and what its own stages took, is in the model that it keeps of a dataset which it tunes
(tensorflow/core/framework/model.proto). A stage that is done is no longer in it, so it is looked at along the way. Reading and the task have
time stamps of their own, which are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple

from runner.config.options import TfData, TfDataBatch
from runner.modes import ModePlan
from runner.modes.stage_record import StageRecord
from runner.modes.tf_data.calls import Handled

# After which parts of a pass the model is looked at, beside its end.
_LOOKS = (0.25, 0.5, 0.75)

_MS = 1e-6

# What TensorFlow calls its own stages.
_NAMES = {
    "BatchV2": "batch",
    "ParallelBatch": "batch",
    "MemoryCacheImpl": "cache",
    "FileCacheImpl": "cache",
    "Shuffle": "shuffle",
    "Prefetch": "prefetch",
}

_MAPS, _INTERLEAVES = ("ParallelMap", "Map"), ("ParallelInterleave",)


class _Node(NamedTuple):
    """A node of the model: what it took, of how many elements, what was chosen for it, and the numbers of those before it."""

    name: str
    took_ns: int
    elements: int
    chosen: dict[str, int]
    inputs: Sequence[int]


class Watch:
    """Watches one pass.

    Args:
        plan: of the mode.
        iterator: of a dataset that TensorFlow tunes; others have no model.
        items: how many there are.
        batch: results in a batch; None without batches.
    """

    def __init__(self, plan: ModePlan, iterator: Any, items: int, batch: int | None) -> None:
        self._plan, self._iterator, self._batch = plan, iterator, batch or 1
        self._option: TfData = plan.mode
        self._images = 0
        self._took_ns = {"read": 0, "decode": 0, "task": 0}
        self._looks = [int(items * part) for part in reversed(_LOOKS)]
        self._nodes: dict[int, _Node] = {}
        self._output = 0
        self._began_ns = perf_counter_ns()

    def add(self, handled: Sequence[Handled]) -> None:
        """Some images are there."""
        took_ns, before = self._took_ns, self._option.batch is TfDataBatch.before
        for one in handled:
            started, read, ran = one.stamps
            took_ns["read"] += read - started
            took_ns["decode"] += ran - read - one.rest_ns if before else 0
            took_ns["task"] += one.rest_ns if before else ran - read
        self._images += len(handled)
        if self._looks and self._images > self._looks[-1]:
            self._look()
            while self._looks and self._images > self._looks[-1]:
                self._looks.pop()

    def ended(self) -> dict[str, Any]:
        """What the record says; nothing where no image came."""
        if not self._images:
            return {}
        wall_ns = perf_counter_ns() - self._began_ns
        self._look()
        stages = [self._record(*stage, wall_ns) for stage in self._stages()]
        facts: dict[str, Any] = {"stages": [stage for stage in stages if stage["ms_per_image"] or stage["buffer"] is not None]}
        if facts["stages"]:
            slowest = max(facts["stages"], key=lambda stage: stage["ms_per_image"] / stage["parallel_calls"])
            facts["slowest_stage"] = slowest["stage"]
        return facts

    def _look(self) -> None:
        import tensorflow as tf
        from tensorflow.core.framework import model_pb2

        handle = self._iterator._iterator_resource  # noqa: SLF001
        model = model_pb2.ModelProto.FromString(tf.raw_ops.IteratorGetModelProto(iterator=handle).numpy())
        self._output = model.output
        for number, node in model.nodes.items():
            chosen = {parameter.name: int(parameter.value) for parameter in node.parameters}
            before = self._nodes[number].inputs if number in self._nodes else ()
            inputs = node.inputs if len(node.inputs) >= len(before) else before
            self._nodes[number] = _Node(node.name, node.processing_time, node.num_elements, chosen, tuple(inputs))

    def _stages(self) -> Iterator[tuple[str, _Node | None, float]]:
        """Each stage with its node and its milliseconds an image, in the order of the dataset."""
        nodes = list(self._chain())
        functions = self._functions()
        found: list[tuple[str, _Node | None, float]] = []
        for node in nodes:
            if node.name.startswith(_INTERLEAVES):
                found.append(("read", node, self._own_ms("read") or self._inside_ms(node)))
            elif node.name.startswith(_MAPS) and functions:
                found += [(name, node, self._own_ms(name)) for name in functions.pop()]
            elif node.name in _NAMES:
                per = 1 if _NAMES[node.name] in {"cache", "shuffle"} and not self._behind_batch(node, nodes) else self._batch
                found.append((_NAMES[node.name], node, node.took_ns * _MS / max(1, node.elements) / per))
        known = {name for name, _, _ in found}
        found += [
            (name, None, self._own_ms(name)) for name in reversed(self._took_ns) if name not in known and self._own_ms(name)
        ]
        return reversed(found)

    def _functions(self) -> list[tuple[str, ...]]:
        """The stages in each map, the first one first; read and task are two stages of one map where they are not apart."""
        option = self._option
        if not option.reads_apart:
            return [("task", "read")]
        read = [] if option.interleave else [("read",)]
        return [*read, *([("decode",), ("task",)] if option.batch is TfDataBatch.before else [("task",)])]

    def _chain(self) -> Iterator[_Node]:
        """The nodes from the last to the first, along what each takes its elements from."""
        number: int | None = self._output
        while number in self._nodes:
            node = self._nodes[number]
            yield node
            number = node.inputs[0] if node.inputs else None

    def _inside_ms(self, interleave: _Node) -> float:
        """What a record took in the files that are interleaved, where TensorFlow reads them by itself."""
        inside, waiting = [], list(interleave.inputs[1:])
        while waiting:
            node = self._nodes.get(waiting.pop())
            if node is not None:
                inside.append(node)
                waiting += node.inputs
        records = sum(node.elements for node in inside if node.name == "TFRecord")
        return sum(node.took_ns for node in inside) * _MS / max(1, records)

    @staticmethod
    def _behind_batch(node: _Node, nodes: Sequence[_Node]) -> bool:
        """Whether a node takes batches; ``nodes`` are in the order from the last to the first."""
        return any(_NAMES.get(other.name) == "batch" for other in nodes[nodes.index(node) :])

    def _own_ms(self, stage: str) -> float:
        return self._took_ns[stage] * _MS / self._images

    def _record(self, stage: str, node: _Node | None, ms_per_image: float, wall_ns: int) -> StageRecord:
        chosen = {} if node is None else node.chosen
        # More calls than the pool has threads wait for one.
        parallel = min(max(1, chosen.get("parallelism", 1)), self._plan.workers) if node is not None else self._plan.workers
        busy_pct = 100 * ms_per_image / _MS * self._images / parallel / wall_ns
        return {
            "stage": stage,
            "parallel_calls": parallel,
            "buffer": chosen.get("buffer_size"),
            "ms_per_image": round(ms_per_image, 6),
            "busy_pct": round(min(100.0, busy_pct), 1),
        }
