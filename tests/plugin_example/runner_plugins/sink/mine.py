"""``sink=mine``: a line for each result, in ``mine.txt`` of the point's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.fields import name, option
from runner.config.options import Choices, SinkOption
from runner.errors import ConfigurationError

if TYPE_CHECKING:
    from runner.pipeline.receipts import Receipt
    from runner.pipeline.sinks import Delivery, Sent


@dataclass
class Mine(SinkOption):
    name: str = name("mine")
    file: str = option("mine.txt", "the name of the file")

    def check(self, choices: Choices) -> None:
        if os.sep in self.file:
            raise ConfigurationError("sink.file", self.file, "is a path", "a name without folders")


class MineSink:
    def __init__(self, config: Mine, array: Callable[[Any], Any]) -> None:
        from runner.pipeline.receipts import Ledger

        self._array, self._ledger = array, Ledger()
        self._file = Path(config.file).open("ab", buffering=0)  # noqa: SIM115  (closed in close)

    @staticmethod
    def destination(config: Mine, folder: Path, name: str) -> MineDestination:
        path = folder / config.file
        path.unlink(missing_ok=True)
        return MineDestination(replace(config, file=str(path)))

    def begin(self, epoch: int) -> None:
        """All passes go to the same file."""

    def put(self, result: Any, item: int) -> None:
        from runner.pipeline.receipts import fingerprint

        line = f"{item} {self._array(result).size}\n".encode()
        self._file.write(line)
        self._ledger.sent(fingerprint(item, line), len(line))

    def end(self) -> Receipt:
        return self._ledger.take()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class MineDestination:
    config: Mine

    def check(self, sent: Sequence[Sent], items: int) -> Delivery:
        from runner.pipeline.sinks.delivery import unchecked

        return unchecked(
            sent, "a line for each", checked=len(Path(self.config.file).read_text().splitlines()) == items * len(sent)
        )

    def close(self) -> None:
        """The file stays."""


PROVIDES = MineSink
