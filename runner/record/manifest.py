"""The manifest of a record: the SHA-256 of every file in its folder, written last, by which ``runner verify`` holds the folder against what was written."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from runner.disk import is_left_over, remove, write_atomically
from runner.errors import RunnerError
from runner.host.claim import LOCK
from runner.record.gate import SCHEMA_VERSION, read_record
from runner.record.manifest_schema import FileRecord, ManifestJson

MANIFEST = "manifest.json"

# What sink=file sends to the point's folder is no part of the record.
_RESULTS = "sink"


@dataclass(frozen=True)
class Deviations:
    """The files of a folder that are not as its manifest says, by their paths in it."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.added)


def write_manifest(folder: Path) -> None:
    """Write the manifest of all files that are in a record's folder now.

    Raises:
        StorageError: it cannot be written.
    """
    _write(folder, {name: _described(folder / name) for name in _files_in(folder)})


def remove_manifest(folder: Path) -> None:
    """Remove it, because the folder's files are about to change."""
    remove(folder / MANIFEST)


def amend_manifest(folder: Path, *patterns: str) -> None:
    """Have the manifest of the record that a folder belongs to, if it has one, say what the files of these names in the folder are now."""
    folder = folder.absolute()
    for top in (folder, *folder.parents[:3]):  # of a point's folder, the sweep's, or a folder between the two
        if os.path.lexists(top / MANIFEST):
            break
    else:
        return
    here = folder.relative_to(top)
    files = {
        name: file
        for name, file in _read(top)["files"].items()
        if Path(name).parent != here or not any(Path(name).match(pattern) for pattern in patterns)
    }
    there = [path for pattern in patterns for path in folder.glob(pattern) if not path.is_symlink()]
    files |= {path.relative_to(top).as_posix(): _described(path) for path in there}
    _write(top, dict(sorted(files.items())))


def deviations(folder: Path) -> Deviations | None:
    """What is missing, changed or added in a record's folder; None where it has no manifest.

    Raises:
        RunnerError: the manifest cannot be read, or names something that is not in the folder.
    """
    if not os.path.lexists(folder / MANIFEST):
        return None
    recorded = _read(folder)["files"]
    there = set(_files_in(folder))
    found = Deviations(added=sorted(there - set(recorded)))
    for name, file in recorded.items():
        if ".." in PurePath(name).parts or PurePath(name).is_absolute():
            raise RunnerError(f"{folder / MANIFEST}: {name!r:.200} is no place in its folder")
        if name not in there:
            found.missing.append(name)
        elif not _is_as(folder / name, file):
            found.changed.append(name)
    return found


def _read(folder: Path) -> ManifestJson:
    manifest: ManifestJson = read_record(folder / MANIFEST, ManifestJson)
    return manifest


def _write(folder: Path, files: dict[str, FileRecord]) -> None:
    manifest: ManifestJson = {"schema_version": SCHEMA_VERSION, "files": files}
    write_atomically(folder / MANIFEST, lambda file: print(json.dumps(manifest, indent=1), file=file))


def _files_in(folder: Path) -> Iterator[str]:
    """Every file of the record, in order. A link counts, so that one that was added is seen; it is not followed."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not (name == _RESULTS and Path(at, "result.json").exists()))
        links = [name for name in folders if Path(at, name).is_symlink()]
        for name in sorted([*names, *links]):
            if name not in {LOCK, MANIFEST} and not is_left_over(name):
                yield Path(at, name).relative_to(folder).as_posix()


def _described(path: Path) -> FileRecord:
    with path.open("rb") as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _is_as(path: Path, recorded: FileRecord) -> bool:
    try:
        about = path.lstat()
        return stat.S_ISREG(about.st_mode) and about.st_size == recorded["bytes"] and _described(path) == recorded
    except OSError as error:
        raise RunnerError(f"{path}: cannot be read: {error.strerror}") from error
