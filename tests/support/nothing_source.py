"""A source that reads nothing, for what is about the number of items alone."""

from __future__ import annotations

from runner.pipeline.sources import Image


class NothingSource:
    def __init__(self, config: object) -> None:
        pass

    def reader(self) -> NothingSource:
        return self

    def read(self, image: Image) -> bytes:
        return b"0123456789abcdef"

    def close(self) -> None:
        pass


PROVIDES = NothingSource
