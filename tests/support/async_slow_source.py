"""``slow_source`` with an asynchronous driver."""

from __future__ import annotations

from support.slow_source import AsyncSlowSource

PROVIDES = AsyncSlowSource
