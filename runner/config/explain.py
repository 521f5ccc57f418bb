"""Messages about what is wrong with a configuration: the key, what was given, what is accepted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config.messages import accepted_by, known_choices, names_of_fields, no_such_option, several_values, unknown_key
from runner.config.words import config_folder, how_to_quote
from runner.errors import ConfigurationError, first_line
from runner.secrets import masked_override


def explain(error: BaseException, words: Sequence[str]) -> ConfigurationError:
    """The one message for an error that Hydra or OmegaConf raised while composing the words of a command line."""
    chain, overrides = _chain(error), [word for word in words if "=" in word and not word.startswith("-")]
    for cause in chain:
        if isinstance(cause, ConfigurationError):
            return cause
    choice = _bad_choice(chain, overrides, words)
    if choice is not None:
        return choice
    for cause in chain:
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            return _bad_key(cause, overrides)
        no_override = re.search(r"Could not override '([^']+)'", str(cause))
        if no_override and not isinstance(cause.__cause__, OmegaConfBaseException):
            return unknown_key(no_override[1], _given(no_override[1], overrides), None)
    if (unreadable := how_to_quote(overrides)) is not None:
        key, given, quoted = unreadable
        shown = masked_override(f"{key}={given}").partition("=")[2]
        how = quoted if shown == given else shlex.quote(f'{key}="..."')
        return ConfigurationError(key, shown, "cannot be read by Hydra as it is", f"its text in quotes, as in {how}")
    return ConfigurationError(
        "command line", " ".join(map(masked_override, overrides)) or None, first_line(error), "key=value, see --help"
    )


def _bad_choice(chain: Sequence[BaseException], overrides: Sequence[str], words: Sequence[str]) -> ConfigurationError | None:
    """The message for an option that its group does not have, or for several options without -m."""
    for cause in chain:
        missing = re.search(r"(?:Could not find|Could not load) '?([\w/]+)/([^'/\s]+?)'?(?:\s|$|\.)", str(cause))
        if missing and missing[1] in known_choices():
            return no_such_option(missing[1], missing[2], config_folder(words))
        if "Config group override must be" in str(cause) and (unknown := _unknown_option(overrides)) is not None:
            return unknown
        ambiguous = re.search(r"Ambiguous value for argument '([^=']+)=([^']*)'", str(cause))
        if ambiguous:
            return several_values(ambiguous[1], ambiguous[2])
    return None


def _unknown_option(overrides: Sequence[str]) -> ConfigurationError | None:
    for group, known in known_choices().items():
        given = _given(group, overrides)
        if given is not None and not set(given.split(",")) <= set(known):
            return no_such_option(group, given)
    return None


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _bad_key(error: OmegaConfBaseException, overrides: Sequence[str]) -> ConfigurationError:
    key = re.sub(r"(\[\d+\])+$", "", str(error.full_key))  # the user gave the whole list, not this item
    if error.value is not None:
        given: object = error.value
    else:
        given = _given(key, overrides)
    node = error.parent_node
    while isinstance(node, ListConfig):
        node, given = node._get_parent(), _given(key, overrides)  # noqa: SLF001  (there is no public way up)
    owner = OmegaConf.get_type(node) if isinstance(node, DictConfig) else error.object_type
    leaf = key.rsplit(".", 1)[-1]
    known = names_of_fields(owner)
    if known and leaf not in known:
        return unknown_key(key, given, owner)
    if not known:
        return unknown_key(key, given, None)
    return ConfigurationError(key, given, "is not accepted", accepted_by(owner, leaf))


def _given(key: str, overrides: Sequence[str]) -> str | None:
    for override in reversed(overrides):
        name, equals, _ = override.partition("=")
        if equals and name.lstrip("+~").partition("@")[0] == key:
            return masked_override(override).partition("=")[2]
    return None
