"""A source whose bytes take their time, and which counts how many are on their way at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from runner.pipeline.sources import Image

LATENCY_S = 0.05


class SlowSource:
    """Writes the largest number of reads at the same time to the file that its option names."""

    def __init__(self, config: str) -> None:
        self._note = Path(config)
        self._now = self._most = 0
        self._lock = threading.Lock()

    def reader(self) -> SlowSource:
        return self

    def read(self, image: Image) -> bytes:
        self._come()
        time.sleep(LATENCY_S)
        return self._go(image)

    def _come(self) -> None:
        with self._lock:
            self._now += 1
            self._most = max(self._most, self._now)

    def _go(self, image: Image) -> bytes:
        with self._lock:
            self._now -= 1
        return Path(image.path).read_bytes()

    def close(self) -> None:
        self._note.write_text(str(self._most))


class AsyncSlowSource(SlowSource):
    async def read_async(self, image: Image) -> bytes:
        self._come()
        await asyncio.sleep(LATENCY_S)
        return self._go(image)

    async def close_async(self) -> None:
        self._note.with_suffix(".async").write_text("closed")


PROVIDES = SlowSource
