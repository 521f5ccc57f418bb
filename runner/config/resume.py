"""``resume=FOLDER``: goes on with the sweep or the run in that folder, by the command line that started it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.config.consent import KINDS, Consent
from runner.config.plain_yaml import plain_yaml
from runner.config.recorded_words import check_words, code_in, demands_of, key_of, with_given
from runner.errors import ConfigurationError
from runner.outside import bytes_of, refuse_links

_KEY = "resume"
_ACCEPTED = (
    "the folder of a sweep or a single run, such as outputs/sweeps/2026-01-31/12-00-00-000000, and no other choice beside it"
)
_OF_SWEEP, _OF_RUN = "multirun.yaml", ".hydra/hydra.yaml"
_ALLOW = "--allow"
_MOST_BYTES = 10_000_000


def resumed(words: Sequence[str], tell: Callable[[str], None]) -> tuple[list[str], Consent | None]:
    """The words that go on with the sweep or the run in FOLDER, if ``words`` contain ``resume=FOLDER``, and what its record is allowed; otherwise ``words``.

    Raises:
        ConfigurationError: there is neither in the folder, ``words`` contain other choices, or the record would have done what is not allowed.
        RunnerError: there is a link in the folder.
    """
    words, allowed = _without_allow(words)
    given = [word.partition("=")[2] for word in words if word.startswith(f"{_KEY}=")]
    if not given or given[-1] in {"", "null"}:
        if allowed:
            raise ConfigurationError(
                _ALLOW, " ".join(sorted(allowed)), "is for what a record would have done", f"{_KEY}=FOLDER with it"
            )
        return words, None
    folder = Path(os.path.expanduser(given[-1].strip("'\""))).absolute()  # noqa: PTH111  (pathlib's raises where there is no home)
    again = [word for word in words if not word.startswith((f"{_KEY}=", "-"))]
    task, hydra = _words_of(folder, given[-1])
    refuse_links(folder)
    kept = [word for word in hydra if not word.startswith(("hydra.sweep.dir=", "hydra.run.dir=", "hydra.mode="))]
    started = [word for word in task if not word.startswith(f"{_KEY}=")]
    recorded = with_given([*started, *kept], again, _KEY)
    named = frozenset(map(key_of, again))
    check_words([word for word in recorded if key_of(word) not in named], _KEY)
    consent = Consent(_KEY, allowed, named, tell)
    consent.ask([*demands_of(recorded), *code_in(recorded)])
    quoted = "'" + str(folder).replace("\\", "\\\\").replace("'", r"\'") + "'"
    if (folder / _OF_SWEEP).exists():
        return ["-m", *recorded, f"hydra.sweep.dir={quoted}", f"{_KEY}={quoted}"], consent
    # Hydra would write its files anew, and a program that is killed meanwhile could not be resumed any more.
    return [*recorded, f"hydra.run.dir={quoted}", "hydra.output_subdir=null", f"{_KEY}={quoted}"], consent


def can_be_resumed(folder: Path) -> bool:
    """Whether the folder says by which words its sweep or run was started."""
    try:
        _words_of(folder, str(folder))
    except ConfigurationError:
        return False
    return True


def _without_allow(words: Sequence[str]) -> tuple[list[str], frozenset[str]]:
    """The words without ``--allow KIND``, and the kinds."""
    rest: list[str] = []
    kinds: set[str] = set()
    left = iter(words)
    for word in left:
        if word != _ALLOW and not word.startswith(f"{_ALLOW}="):
            rest.append(word)
            continue
        kind = next(left, "") if word == _ALLOW else word.partition("=")[2]
        if kind not in KINDS:
            raise ConfigurationError(
                _ALLOW, kind, "is no kind of thing that a record would have done", "one of " + ", ".join(KINDS)
            )
        kinds.add(kind)
    return rest, frozenset(kinds)


def _words_of(folder: Path, given: str) -> tuple[list[str], list[str]]:
    """The program's and Hydra's own words of the command line that started it; nothing in them is evaluated."""
    path = next((path for name in (_OF_SWEEP, _OF_RUN) if os.path.lexists(path := folder / name)), folder / _OF_SWEEP)
    try:
        content = plain_yaml(bytes_of(path, _MOST_BYTES))
        overrides = content["hydra"]["overrides"]
        if path.name != _OF_SWEEP and content["hydra"]["mode"] != "RUN":
            raise ConfigurationError(_KEY, given, "is the folder of one point of a sweep", "the folder of the sweep around it")
        task, hydra = _texts(overrides["task"]), _texts(overrides["hydra"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(_KEY, given, "is not the folder of a sweep or a run", _ACCEPTED) from error
    return task, hydra


def _texts(words: Any) -> list[str]:
    """A list of texts. Anything else is not made one: it could refer to itself, and have no end.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError
    return words
