"""Whether all that was sent has arrived, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from runner.pipeline.receipts import Arrivals, Receipt
from runner.pipeline.stamps import Records

# How many items a message names.
_NAMED = 5


@dataclass(frozen=True)
class Sent:
    """What the workers say of one pass: which items failed, and what they have sent."""

    failed: frozenset[int]
    receipt: Receipt

    @classmethod
    def of(cls, records: Records) -> Sent:
        return cls(records.failed(), records.receipt)


@dataclass(frozen=True)
class Delivery:
    """How a trial's results came to where they were sent.

    Attributes:
        sent, bytes, repeated: sums of the receipts, warm-up included.
        method: how it was checked, or why it could not be.
        checked: whether what arrived was compared with what was sent.
        received, duplicates: results that arrived, and how many of them came again; None where that is not known.
        unacknowledged: results that arrived although their sender gave up on them.
        problem: what is wrong, in words; None if nothing is.
        details: further facts for the record.
    """

    sent: int
    bytes: int
    repeated: int
    method: str
    checked: bool
    received: int | None = None
    duplicates: int | None = None
    unacknowledged: int | None = None
    problem: str | None = None
    details: Mapping[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """As ``result.json`` has it."""
        names = ("sent", "received", "bytes", "repeated", "duplicates", "unacknowledged", "checked", "method", "problem")
        return {name: getattr(self, name) for name in names} | dict(self.details or {})


def unchecked(sent: Sequence[Sent], method: str, *, checked: bool = False) -> Delivery:
    """What the receipts say, where what arrived cannot be looked at."""
    total = _total(sent)
    return Delivery(total.count, total.bytes, total.repeated, method, checked)


def delivery_from_arrivals(sent: Sequence[Sent], arrived: Mapping[int, Arrivals], items: int, method: str) -> Delivery:
    """Compare pass by pass; ``arrived`` is by the number of the pass, of which each has ``items`` items."""
    total, problem, unacknowledged = _total(sent), None, 0
    for number, of_pass in enumerate(sent):
        there = arrived.get(number, Arrivals())
        late = [item for item in of_pass.receipt.doubtful if item in there]
        unacknowledged += len(late)
        problem = problem or _problem(of_pass, there, late, items, f"pass {number} of {len(sent)}")
    if problem is None and (odd := sorted(number for number in arrived if number >= len(sent))):
        problem = f"something arrived for pass {odd[0]}, which there was not"
    return Delivery(
        sent=total.count,
        bytes=total.bytes,
        repeated=total.repeated,
        method=method,
        checked=True,
        received=sum(there.count for there in arrived.values()),
        duplicates=sum(there.duplicates for there in arrived.values()),
        unacknowledged=unacknowledged,
        problem=problem,
    )


def _problem(sent: Sent, there: Arrivals, late: Sequence[int], items: int, which: str) -> str | None:
    receipt, expected = sent.receipt, items - len(sent.failed)
    if receipt.count != expected:
        return f"{which}: the workers sent {receipt.count} results, but handled {expected}"
    missing = [item for item in range(items) if item not in there and item not in sent.failed]
    if missing:
        return f"{which}: {len(missing)} of {expected} results that were sent did not arrive: {_named(missing)}"
    if there.count != receipt.count + len(late):
        extra = [item for item in there if item >= items or (item in sent.failed and item not in late)]
        return f"{which}: what arrived was not all sent: {_named(extra)}"
    if there.checksum != (receipt.checksum + sum(receipt.doubtful[item] for item in late)) % 2**64:
        return f"{which}: all {expected} results arrived, but not as they were sent: their checksums differ"
    return None


def _named(items: Sequence[int]) -> str:
    more = ", ..." if len(items) > _NAMED else ""
    return f"item{'s' if len(items) > 1 else ''} " + ", ".join(map(str, islice(items, _NAMED))) + more


def _total(sent: Sequence[Sent]) -> Receipt:
    return sum((of_pass.receipt for of_pass in sent), Receipt())
