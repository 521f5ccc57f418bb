"""Results put together into batches: stacked, contiguous arrays, in the order of the images or as results come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runner.errors import TrialFailed


@dataclass(frozen=True)
class Batching:
    """How results are put into batches; small, and picklable for workers that are spawned.

    Attributes:
        size: results in a batch.
        kept: whether batches keep the order of the images; otherwise results are taken as they come.
        queue: how many batches are made ahead of the consumer.
        drop_remainder: whether a last batch that is not full is dropped.
    """

    size: int
    kept: bool = True
    queue: int = 1
    drop_remainder: bool = False

    def window(self, takers: int, run: int | None = None) -> int:
        """How many items may be on their way at a time, where the order is kept: ``queue`` batches, and one for each of ``takers``.

        Takers that are given ``run`` items at once get room for two runs each, otherwise they would wait for one another.
        """
        return max(self.queue * self.size, 2 * takers * (run or 1)) + takers

    def longest_run(self, takers: int) -> int:
        """How many items each of ``takers`` may take at once, so that two runs of each are within the window."""
        return max(1, self.queue * self.size // (2 * takers))


class Batch:
    """Some results, stacked.

    Attributes:
        array: of shape ``(results, ...)``, contiguous.
        items: the numbers of the results' images, by row.
    """

    def __init__(self, array: Any, items: list[int]) -> None:
        self.array = array
        self.items = items
        self._laid = 0
        self._closed = False

    @classmethod
    def whole(cls, array: Any, items: Sequence[int]) -> Batch:
        """A batch that was made elsewhere."""
        batch = cls(array, list(items))
        batch._laid, batch._closed = len(batch.items), True
        return batch

    def __len__(self) -> int:
        return len(self.items)

    @property
    def complete(self) -> bool:
        """Whether no more comes, and all that came is in its row."""
        return self._closed and self._laid == len(self.items)

    def close(self) -> None:
        """No more results come."""
        self._closed = True
        self.array = self.array[: len(self.items)]

    def laid(self) -> None:
        """One more result is in its row."""
        self._laid += 1


class Laying(NamedTuple):
    """A result that has been given a row, and is to be copied there; any thread may do that."""

    batch: Batch
    row: int
    array: Any

    def copy(self) -> None:
        """Copy it."""
        self.batch.array[self.row] = self.array


class Assembler:
    """Gives each result its row in a batch, and each batch its turn. Not safe to use from several threads at a time.

    Attributes:
        next_item: where the order is kept, the first item of which nothing is known yet.
        known: of how many items the result, or that there is none, is known.
        untaken: how many results have a row in batches that were not taken yet.
    """

    def __init__(self, batching: Batching) -> None:
        self.next_item = self.known = self.untaken = 0
        self._batching = batching
        self._batches: deque[Batch] = deque()
        self._open: Batch | None = None
        # Where the order is kept: results of later items, None for those that failed.
        self._early: dict[int, Any] = {}

    def place(self, item: int, array: Any, *, lasting: bool) -> list[Laying]:
        """What is to be copied where, now that the result of ``item`` has come.

        Args:
            item: its number.
            array: its result.
            lasting: whether the array is good for longer than this call; otherwise it is copied where it is not yet its turn.

        Raises:
            TrialFailed: it cannot be stacked with those before it.
        """
        self.known += 1
        if self._batching.kept and item != self.next_item:
            self._early[item] = array if lasting else array.copy()
            return []
        self.next_item += 1
        return [self._row(item, array), *self._due()]

    def missed(self, item: int) -> list[Laying]:
        """What is to be copied where, now that ``item`` has failed.

        Raises:
            TrialFailed: a result cannot be stacked with those before it.
        """
        self.known += 1
        if self._batching.kept and item != self.next_item:
            self._early[item] = None
            return []
        self.next_item += 1
        return self._due()

    def add(self, batch: Batch) -> None:
        """Take a batch that was made elsewhere."""
        self.known += len(batch)
        if len(batch) == self._batching.size or not self._batching.drop_remainder:
            self.untaken += len(batch)
            self._batches.append(batch)

    def close(self) -> None:
        """No more results come: what is left is a batch that is not full, or is dropped."""
        left, self._open = self._open, None
        if left is None:
            return
        if self._batching.drop_remainder:
            self._batches.remove(left)
            self.untaken -= len(left)
        else:
            left.close()

    @property
    def ready(self) -> int:
        """How many batches can be taken now."""
        count = 0
        for batch in self._batches:
            if not batch.complete:
                break
            count += 1
        return count

    def take(self) -> Batch | None:
        """The next batch; None where it is not complete."""
        if not self._batches or not self._batches[0].complete:
            return None
        batch = self._batches.popleft()
        self.untaken -= len(batch)
        return batch

    def _due(self) -> list[Laying]:
        """The results that came early and are due now."""
        due = []
        while self.next_item in self._early:
            item, array = self.next_item, self._early.pop(self.next_item)
            self.next_item += 1
            if array is not None:
                due.append(self._row(item, array))
        return due

    def _row(self, item: int, array: Any) -> Laying:
        batch = self._open
        if batch is None:
            import numpy as np

            batch = self._open = Batch(np.empty((self._batching.size, *array.shape), array.dtype), [])
            self._batches.append(batch)
        elif (array.shape, array.dtype) != (batch.array.shape[1:], batch.array.dtype):
            raise ragged(item, _described(array.shape, array.dtype), _described(batch.array.shape[1:], batch.array.dtype))
        laying = Laying(batch, len(batch), array)
        batch.items.append(item)
        self.untaken += 1
        if len(batch) == self._batching.size:
            batch.close()
            self._open = None
        return laying


def ragged(item: int | None, found: str, before: str) -> TrialFailed:
    """The error for a result that cannot be stacked with those before it."""
    which = "a result" if item is None else f"the result of item {item}"
    reason = f"{which} is {found}, and those before it in its batch are {before}: results of a batch must be alike"
    return TrialFailed(
        f"consumer.batch: {reason}; accepted: a task with the step resize, or consumer.batch=1", kind="RaggedResults"
    )


def _described(shape: Sequence[int], dtype: Any) -> str:
    return f"{dtype} of shape {tuple(shape)}"
