"""What comes out of the dataset at once: one item, or a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import TrialFailed
from runner.modes import Intake
from runner.modes.tf_data.calls import Handled, ItemWork
from runner.modes.tf_data.dataset import elements
from runner.pipeline.batches import ragged
from runner.pipeline.tasks import Task


@dataclass(frozen=True)
class Group:
    """Items that come out together.

    Attributes:
        handled: each of them.
        stacked: their results, of shape ``(items, ...)``; None where they were not stacked.
        failed: those that could not be delivered to the sink.
    """

    handled: Sequence[Handled]
    stacked: Any = None
    failed: dict[int, Exception] = field(default_factory=dict)


def singles(iterator: Any, work: ItemWork) -> Iterator[Group]:
    """Each item by itself."""
    for element in elements(iterator):
        yield Group([work.handled(element)])


def stacks(iterator: Any, work: ItemWork, refusal: Callable[[str], TrialFailed]) -> Iterator[Group]:
    """Each batch of a dataset of batches.

    Raises:
        TrialFailed: the results of a batch differ in shape, which is what ``refusal`` says.
    """
    import tensorflow as tf

    try:
        for element in elements(iterator):
            yield Group(*work.together(element))
    except tf.errors.InvalidArgumentError as error:
        if "Cannot batch" not in str(error):
            raise
        raise refusal(str(error).partition("Cannot batch ")[2].partition(" [Op")[0]) from error


def refusal_for(*, consumer: bool) -> Callable[[str], TrialFailed]:
    """The error for a batch of results that differ, in the words of whoever has the batch."""

    def of_mode(found: str) -> TrialFailed:
        reason = f"mode.batch: results of a batch must be alike, and there are several {found}"
        return TrialFailed(f"{reason}; accepted: a task with the step resize, or mode.batch=none", kind="RaggedResults")

    return (lambda found: ragged(None, f"one of several {found}", "others")) if consumer else of_mode


def handing_on(task: Task, intake: Intake | None) -> Callable[[Group], None]:
    """A function that gives a group to the consumer."""

    def drop(group: Group) -> None:
        """There is no consumer."""

    def one_by_one(group: Group) -> None:
        for one in group.handled:
            taker.wait(one.item)
            if one.error is None and one.item not in group.failed:
                taker.result(one.item, task.array(one.result), lasting=True)
            else:
                taker.missed(one.item)

    def hand_on(group: Group) -> None:
        if group.stacked is None:
            one_by_one(group)
            return
        good = [place for place, one in enumerate(group.handled) if one.item not in group.failed]
        array = group.stacked if not group.failed else group.stacked[good]
        taker.batch([group.handled[place].item for place in good], array)
        for item in group.failed:
            taker.missed(item)

    if intake is None:
        return drop
    taker = intake
    return hand_on
