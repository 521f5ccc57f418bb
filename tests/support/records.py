"""Records that readers are given."""

from __future__ import annotations

from support.paths import ROOT

OLD = ROOT / "tests" / "records" / "schema_1"
