"""Words of a command line that stand in a record: looked at before Hydra sees them, because with some of them it would run code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runner.config.consent import Demand
from runner.config.registry import EXPERIMENT, KEYS, names_code
from runner.errors import ConfigurationError
from runner.secrets import MASK, masked_override

_WORD = re.compile(r"[+~]*(?P<key>[A-Za-z_][\w./@-]*)(?P<equals>=(?P<value>.*))?", re.DOTALL)

# A reference to another key of the same configuration, or to the number of a job; all else between ${ and } could read the environment.
_REFERENCE = re.compile(r"\$\{(?P<key>[A-Za-z_]\w*)(\.\w+)*\}")
_OF_HYDRA = re.compile(r"\$\{hydra\.job\.(num|id|override_dirname)\}")

# Settings of Hydra's own that choose among what is installed here, or say how much.
_HARMLESS_OF_HYDRA = re.compile(
    r"hydra/(launcher|sweeper)=\w+|hydra\.(launcher|sweeper)\.[A-Za-z]\w*=(-?[\d.]+|true|false|null)|hydra\.sweep\.subdir=.*",
    re.DOTALL,
)


def key_of(word: str) -> str:
    """The key that a word gives a value."""
    return word.lstrip("+~").partition("=")[0]


def check_words(words: Sequence[str], where: str) -> None:
    """Refuse words that are no choices of this program's keys, or in which something would be evaluated.

    Raises:
        ConfigurationError: such a word is among them.
    """
    for word in words:
        match = _WORD.fullmatch(word)
        top = "" if match is None else re.split(r"[./@]", match["key"], maxsplit=1)[0]
        if top not in {*KEYS, EXPERIMENT, "hydra"}:
            raise ConfigurationError(
                where, f"{masked_override(word)!r:.200}", "is no choice of this program", "key=value, in a record"
            )
        rest = _REFERENCE.sub(lambda one: "" if one["key"] in KEYS else one[0], _OF_HYDRA.sub("", word))
        if "${" in rest:
            raise ConfigurationError(
                where,
                masked_override(word),
                "would be evaluated, with what this program has in its environment",
                "a plain value in a record",
            )


def demands_of(words: Sequence[str]) -> Iterator[Demand]:
    """What Hydra's own settings among the words would have done."""
    for word in words:
        if key_of(word).startswith("hydra") and not _HARMLESS_OF_HYDRA.fullmatch(word):
            yield Demand("import", key_of(word), word.partition("=")[2])


def with_given(recorded: Sequence[str], given: Sequence[str], where: str) -> list[str]:
    """The recorded words, where the user gives some of them again: as they were before a secret in them was masked.

    Raises:
        ConfigurationError: a given word is not one of the recorded ones, or one with a secret is not given.
    """
    again: Mapping[str, str] = {key_of(word): word for word in given}
    known = {key_of(word): masked_override(word) for word in recorded}
    for key, word in again.items():
        if known.get(key) != masked_override(word):
            there = known.get(key)
            reason = "goes on with a sweep as it was" + (f", and it had {there}" if there else f", and it had no {key}")
            raise ConfigurationError(where, masked_override(word), reason, "no choice beside it, or the same once more")
    words = [again.get(key_of(word), word) for word in recorded]
    for word in words:
        if MASK in word and key_of(word) not in again:
            reason = "had a secret in it, which is in no record"
            raise ConfigurationError(where, masked_override(word), reason, f"the same once more, with it: {key_of(word)}=...")
    return words


def names_own_code(words: Sequence[str]) -> bool:
    """Whether the words name functions of the user's, which may be in the current folder."""
    return not {key_of(word) for word in words}.isdisjoint(key for key in names_code() if "." in key)


def code_in(words: Sequence[str]) -> list[Demand]:
    """The code that the words name: it is asked for before it is looked for."""
    return [Demand("import", key, word.partition("=")[2]) for key in names_code() for word in words if key_of(word) == key]
