"""What could be done about a stall: each proposal as words of a command line, with the part of the time that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runner.analysis.stalls import Diagnosis
from runner.config.options import Cache, Config

# Nothing is proposed for a part that takes less.
_WORTH_IT = 0.05

# A picture is decoded at 1/2, 1/4 or 1/8 of its size only where it stays larger than the result.
_RATIOS = (8, 4, 2)


@dataclass(frozen=True)
class Proposal:
    """One thing to try.

    Attributes:
        words: of a command line.
        reason: why it may help.
        part: of the time that it is about.
        share: of that part, 0 to 1.
    """

    words: tuple[str, ...]
    reason: str
    part: str
    share: float


def proposals(found: Diagnosis, config: Config, *, usage_pct: float | None, pixels: int) -> list[Proposal]:
    """What to try, first what is about the largest part.

    Args:
        found: where the time goes.
        config: of the point.
        usage_pct: of all CPUs that it may use, in its trials; None where that is not known.
        pixels: the shorter edge of its smallest image.
    """
    if not found.has_a_stall:
        return []
    shares = {part.name: part.share for part in found.parts if part.seconds.is_there and part.share > _WORTH_IT}
    ways = {"fetch": _faster_fetch, "preparation": _faster_preparation, "hand-over": _faster_hand_over}
    proposed = [
        Proposal(words, reason, name, shares[name])
        for name, way in ways.items()
        if name in shares
        for words, reason in way(config, usage_pct, pixels)
    ]
    by_words: dict[tuple[str, ...], Proposal] = {}
    for one in sorted(proposed, key=lambda one: -one.share):
        by_words.setdefault(one.words, one)
    return list(by_words.values())


Way = tuple[tuple[str, ...], str]


def _faster_fetch(config: Config, usage_pct: float | None, pixels: int) -> Iterator[Way]:
    del pixels
    if usage_pct is None or usage_pct < 90:
        yield (f"workers={2 * config.workers}",), "more images are waited for at the same time"
    if not config.source.reads_files and config.mode.name != "asyncio":
        yield ("mode=asyncio", f"workers={4 * config.workers}"), "an event loop waits for many images with few threads"
    if config.source.page_cache is Cache.cold:
        yield ("source.cache=warm",), "files stay in memory where there is room for them"


def _faster_preparation(config: Config, usage_pct: float | None, pixels: int) -> Iterator[Way]:
    task: Any = config.task
    if not config.mode.processes(config.workers):
        yield ("mode=process",), "processes do not share an interpreter lock"
    if usage_pct is None or usage_pct < 90:
        yield (f"workers={2 * config.workers}",), "not all CPUs are used"
    if getattr(task, "execution", None) is not None and task.execution.value == "eager":
        yield ("task.execution=graph",), "one compiled function instead of op by op"
    if getattr(task, "ratio", None) == 1:
        ratio = next((one for one in _RATIOS if pixels >= one * task.size), None)
        if ratio is not None:
            yield (f"task.ratio={ratio}",), f"a JPEG is decoded at 1/{ratio} of its size; results differ a little"
    if getattr(task, "dct_method", None) is not None and task.dct_method.value == "default":
        yield ("task.dct_method=fast",), "a faster inverse DCT; results differ a little"
    if task.name == "tensorflow":
        yield ("task=opencv",), "another library; results differ a little"


def _faster_hand_over(config: Config, usage_pct: float | None, pixels: int) -> Iterator[Way]:
    del usage_pct, pixels
    returns = getattr(config.mode, "returns", None)
    if returns is not None and returns.value == "pickle":
        yield ("mode.returns=shared_memory",), "results are not copied through a pipe"
    queue = getattr(config.consumer, "queue", None)
    if queue is not None:
        yield (f"consumer.queue={2 * queue}",), "more batches are made ahead"
