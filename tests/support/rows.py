"""Rows of images as any reader of Parquet sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """Every image's row in a point's folder, as any reader of Parquet sees them."""
    import pandas as pd

    rows: list[dict[str, Any]] = pd.read_parquet(folder / "images").to_dict("records")
    return rows
