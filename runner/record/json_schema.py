"""The JSON Schemas of ``result.json`` and ``sweep.json``, which are made from the records' types and lie beside them.

``make schema`` writes them again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from runner.record.point_schema import ResultJson
from runner.record.shape import json_schema
from runner.record.sweep_schema import SweepJson

_KINDS = {"result.schema.json": ResultJson, "sweep.schema.json": SweepJson}


def schema_texts() -> Mapping[Path, str]:
    """The text of each schema file, by its path."""
    return {
        Path(__file__).with_name(name): json.dumps({"title": name.replace(".schema", ""), **json_schema(kind)}, indent=1) + "\n"
        for name, kind in _KINDS.items()
    }


def write_schemas() -> None:
    """Write the schema files anew."""
    for path, text in schema_texts().items():
        path.write_text(text, encoding="utf-8", newline="\n")
