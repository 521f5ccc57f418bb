"""Refuses what a word of the command line shows to be wrong by itself, before Hydra is loaded.

Hydra composes a configuration two times for a run, and more often for a sweep, before a value is looked at. Words that are more than
``key=value`` with plain values are left to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_type_hints

from runner.config.fields import Rule
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, files_of, options
from runner.errors import ConfigurationError

# With these flags other files, or other programs, say what a word means.
_OTHER_MEANING = ("-c", "--config", "-s", "--shell", "hydra.searchpath")

# A key as it stands at the top, and values that Hydra's grammar takes for themselves.
_WORD = re.compile(r"(?P<key>\w+)=(?P<values>[\w.+-]+(,[\w.+-]+)*)")


def refuse_early(words: Sequence[str]) -> None:
    """Look at each word by itself.

    Raises:
        ConfigurationError: a key is unknown, a group has no such option, or a number is outside its rule.
    """
    if any(word.startswith(_OTHER_MEANING) for word in words):
        return
    for word in words:
        if (match := _WORD.fullmatch(word)) is None or match["key"] == "hydra":
            continue
        if (wrong := _wrong_with(match["key"], match["values"].split(","))) is not None:
            raise wrong


def _wrong_with(key: str, values: Sequence[str]) -> ConfigurationError | None:
    from runner.config import explain  # OmegaConf comes with it

    if key in GROUPS or key == EXPERIMENT:
        known = files_of(EXPERIMENT) if key == EXPERIMENT else options()[key]
        wrong = next((value for value in values if value not in known and value != "null"), None)
        return None if wrong is None else explain.no_such_option(key, wrong)
    if key not in KEYS:
        return explain.unknown_key(key, ",".join(values), None)
    rule: Rule = KEYS[key].metadata["rule"]
    numbers = [value for value in values if re.fullmatch(r"[+-]?\d{1,18}", value)] if get_type_hints(Config)[key] is int else []
    wrong = next((value for value in numbers if rule.broken_by(int(value))), None)
    return None if wrong is None else ConfigurationError(key, wrong, "is out of range", explain.accepted_by(Config, key))
