"""Bounds in per cent, in words."""

from __future__ import annotations

import math


def pct_text(pct: float) -> str:
    """A bound in per cent, rounded up: what is said holds."""
    return f"{math.ceil(pct * 10 - 1e-9) / 10:.1f} %" if pct < 10 else f"{math.ceil(pct - 1e-9)} %"
