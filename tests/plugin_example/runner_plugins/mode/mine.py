"""``mode=mine``: one image after the other, as ``mode=sequential`` does, and a word of its own in the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.config.fields import name, option
from runner.config.options import ModeOption

if TYPE_CHECKING:
    from runner.modes import Mode, ModePlan


@dataclass
class Mine(ModeOption):
    name: str = name("mine")
    word: str = option("hello", "a word for the record", matches=r"\w+")

    def effective_workers(self, workers: int) -> int:
        return 1


def mine(plan: ModePlan) -> Mode:
    from runner.modes.sequential import Sequential

    class MineMode(Sequential):
        def facts(self) -> dict[str, Any]:
            return {"word": plan.mode.word}

    return MineMode(plan)


PROVIDES = mine
