"""``source=mine``: small pictures of one colour each, made when they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.config.fields import name, option
from runner.config.options import SourceOption

if TYPE_CHECKING:
    from runner.pipeline.sources.image import Image

_EDGE = 16


@dataclass
class Mine(SourceOption):
    name: str = name("mine")
    count: int = option(3, "how many different pictures", at_least=1, at_most=256)


class MineSource:
    def __init__(self, config: Mine) -> None:
        self._count = config.count

    def images(self, limit: int) -> tuple[Image, ...]:
        from runner.pipeline.sources.image import Image

        return tuple(
            Image(f"mine://{number}", "png", _EDGE, _EDGE, hashlib.sha256(_png(number)).hexdigest())
            for number in range(min(limit, self._count))
        )

    def reader(self) -> MineReader:
        return MineReader()


class MineReader:
    def read(self, image: Image) -> bytes:
        return _png(int(image.path.removeprefix("mine://")))

    def close(self) -> None:
        """Nothing is open."""


def _png(level: int) -> bytes:
    import io

    import PIL.Image

    file = io.BytesIO()
    PIL.Image.new("L", (_EDGE, _EDGE), level).save(file, "png")
    return file.getvalue()


PROVIDES = MineSource
