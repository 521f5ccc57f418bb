"""The type of ``manifest.json``."""

from __future__ import annotations

from typing import Annotated, TypedDict

from runner.record.limits import Count, Limits

Sha256 = Annotated[str, Limits("is no SHA-256", r"[0-9a-f]{64}")]


class FileRecord(TypedDict):
    """What a file was when the record was closed."""

    bytes: Count
    sha256: Sha256


class ManifestJson(TypedDict):
    """The content of ``manifest.json``: every file of a record, by its path in the folder."""

    schema_version: int
    files: dict[str, FileRecord]
