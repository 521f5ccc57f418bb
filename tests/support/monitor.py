"""Trials under the monitor."""

from __future__ import annotations

from typing import Any

from runner.config.options import StartMethod


def name(mode: Any) -> str:
    method = getattr(mode, "start_method", StartMethod.auto)
    return mode.name if method is StartMethod.auto else f"{mode.name}-{method.value}"
