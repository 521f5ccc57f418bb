"""A source that notes when each of its images was read."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter_ns

from runner.pipeline.sources import Image


class CountingSource:
    """Adds a line with the time on the shared clock to the file that its option names."""

    def __init__(self, config: str) -> None:
        self._note = Path(config)

    def reader(self) -> CountingSource:
        return self

    def read(self, image: Image) -> bytes:
        with self._note.open("a") as note:
            note.write(f"{perf_counter_ns()}\n")
        return Path(image.path).read_bytes()

    def close(self) -> None:
        """Nothing is open."""


PROVIDES = CountingSource
