"""What was sent against what arrived: differences are named, doubts are kept, pauses follow the server."""

from __future__ import annotations

import pytest
from support.sinks import result, sent

from runner.errors import SinkError
from runner.pipeline.receipts import Arrivals, Receipt
from runner.pipeline.retry import MayPass, retried
from runner.pipeline.sinks import Sent
from runner.pipeline.sinks.delivery import delivery_from_arrivals
from runner.pipeline.stamps import Records


def arrived(*items: int, damaged: int | None = None) -> Arrivals:
    arrivals = Arrivals()
    for item in items:
        arrivals.take(item, result(item + 1 if item == damaged else item))
    return arrivals


@pytest.mark.parametrize(
    ("what", "there", "says"),
    [
        (sent(4), arrived(3, 1, 0, 2), None),
        (sent(4), arrived(3, 1, 0), "pass 0 of 1: 1 of 4 results that were sent did not arrive: item 2"),
        (sent(20), arrived(0), "19 of 20 results that were sent did not arrive: items 1, 2, 3, 4, 5, ..."),
        (sent(4), arrived(0, 1, 2, 3, damaged=1), "all 4 results arrived, but not as they were sent"),
        (sent(4), arrived(0, 1, 2, 3, 4), "what arrived was not all sent: item 4"),
        (sent(4, frozenset({2})), arrived(0, 1, 3), None),
        (sent(4, frozenset({2})), arrived(0, 1, 2, 3), "what arrived was not all sent: item 2"),
        (sent(4, frozenset({2}), frozenset({2})), arrived(0, 1, 2, 3), None),
        (sent(4, frozenset({2}), frozenset({2})), arrived(0, 1, 2, 3, damaged=2), "not as they were sent"),
        (Sent(frozenset(), Receipt()), arrived(0, 1, 2, 3), "the workers sent 0 results, but handled 4"),
    ],
)
def test_a_difference_between_what_was_sent_and_what_arrived_is_named(what: Sent, there: Arrivals, says: str | None) -> None:
    items = what.receipt.count + len(what.failed) or 4
    problem = delivery_from_arrivals([what], {0: there}, items, "here").problem
    assert problem is None if says is None else says in (problem or "")


def test_of_very_many_images_that_fail_all_are_known_to_have_failed() -> None:
    """The reasons are kept of some; what was to be sent is told by the records."""
    records = Records(errors={0: "ValueError: not to my taste"})
    for item in range(3000):
        records.values.extend((item, 0, 0, 1, 2, 3, 4, item % 2))
    assert Sent.of(records).failed == frozenset(range(0, 3000, 2))
    assert Sent.of(Records()).failed == frozenset()


def test_what_comes_twice_counts_once_and_is_reported() -> None:
    delivery = delivery_from_arrivals([sent(3)], {0: arrived(0, 1, 1, 2, 1)}, 3, "here")
    assert (delivery.problem, delivery.received, delivery.duplicates) == (None, 3, 2)


def test_what_arrived_although_its_sender_gave_up_is_reported() -> None:
    failed = frozenset({1})
    delivery = delivery_from_arrivals([sent(3, failed, failed)], {0: arrived(0, 1, 2)}, 3, "here")
    assert (delivery.problem, delivery.sent, delivery.received, delivery.unacknowledged) == (None, 2, 3, 1)


def test_what_arrives_for_an_epoch_that_there_was_not_is_told() -> None:
    problem = delivery_from_arrivals([sent(1)], {0: arrived(0), 7: arrived(0)}, 1, "here").problem
    assert problem == "something arrived for pass 7, which there was not"


def test_receipts_add_up_in_any_order_and_keep_doubts() -> None:
    one, other = sent(3).receipt, sent(5, frozenset({4}), frozenset({4})).receipt
    assert one + other == other + one
    assert (one + other).count == 7
    assert list((one + other).doubtful) == [4]


def test_pauses_double_up_to_a_limit_and_the_last_failure_is_told(no_pauses: list[float]) -> None:
    attempts = []

    def attempt() -> None:
        attempts.append(1)
        raise MayPass("no luck")

    with pytest.raises(SinkError, match=r"^no luck, 9 times$"):
        retried(attempt, 8)
    assert len(attempts) == 9
    assert no_pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_server_that_asks_for_a_pause_gets_it_up_to_the_limit(no_pauses: list[float]) -> None:
    asked = iter([3.0, 60.0])

    def attempt() -> None:
        raise MayPass("busy", next(asked, 0.0))

    with pytest.raises(SinkError):
        retried(attempt, 3)
    assert no_pauses == [3.0, 5.0, 0.4]
