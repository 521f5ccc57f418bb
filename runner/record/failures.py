"""The images of a point that failed: alike reasons together, the files named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from runner.outside import in_one_line
from runner.record.point_schema import FailedImages
from runner.record.trial_schema import TrialRecord

# How many files of a group a record names, how many a sentence, and how many groups a sentence has.
_EXAMPLES, _NAMED, _GROUPS = 20, 3, 5

_NUMBERS = re.compile(r"\d+")


def failed_images(errors: Iterable[Mapping[str, str]]) -> list[FailedImages]:
    """Groups of files that failed for alike reasons, the largest first.

    Args:
        errors: of each trial, the reason by the image's path or address.
    """
    reasons: dict[str, str] = {}
    for of_trial in errors:
        reasons = {**of_trial, **reasons}
    groups: dict[str, FailedImages] = {}
    for path, reason in reasons.items():
        group = groups.setdefault(_alike(path, reason), {"reason": reason, "files": 0, "examples": []})
        group["files"] += 1
        if len(group["examples"]) < _EXAMPLES:
            group["examples"].append(path)
    return sorted(groups.values(), key=lambda group: -group["files"])


def failed_in(trials: Iterable[TrialRecord]) -> list[FailedImages]:
    """The groups of all trials together."""
    return failed_images(trial["image_errors"] for trial in trials)


def in_words(groups: Iterable[FailedImages]) -> str:
    """As ``21 files: ValueError: unknown format (a.jpg, b.jpg, c.jpg, ...)``, a group after the other."""
    every = list(groups)
    shown = [_group_in_words(group) for group in every[:_GROUPS]]
    rest = sum(group["files"] for group in every[_GROUPS:])
    return "; ".join([*shown, *([f"{_files(rest)} for other reasons"] if rest else [])])


def _group_in_words(group: FailedImages) -> str:
    names = [in_one_line(PurePosixPath(path).name or path) for path in group["examples"][:_NAMED]]
    more = ", ..." if group["files"] > len(names) else ""
    return f"{_files(group['files'])}: {in_one_line(group['reason'])} ({', '.join(names)}{more})"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _alike(path: str, reason: str) -> str:
    """The reason without what is of this file alone: its name, and numbers such as sizes and offsets."""
    for name in (path, PurePosixPath(path).name):
        reason = reason.replace(name, "") if name else reason
    return _NUMBERS.sub("0", reason)
