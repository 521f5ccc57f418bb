"""Sizes in words."""

from __future__ import annotations


def gigabytes(size_bytes: float) -> str:
    """A size in bytes as people read it: ``1.5 GB``."""
    return f"{size_bytes / 1e9:.1f} GB"
