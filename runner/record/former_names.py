"""Names that keys of records had in earlier versions of this program: records that have them are read all the same."""

from __future__ import annotations

from typing import Any

# Keys of a trial's ``gil``.
_GIL = {"told_from_waiting_for_a_cpu": "excludes_cpu_wait"}


def rename_old_keys(record: dict[str, Any]) -> None:
    """Give the keys of a ``result.json`` the names of today, in place."""
    for trial in record["trials"]:
        gil = trial.get("gil") or {}
        for old, new in _GIL.items():
            if old in gil:
                gil[new] = gil.pop(old)
