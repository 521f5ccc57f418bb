"""Words of a command line that have to be of one configuration, not of a sweep."""

from __future__ import annotations

from runner.errors import ConfigurationError


def check_of_one(word: str, what: str) -> None:
    """Refuse a word that is no choice for ``what``, such as ``a diagnosis``, or that is several values.

    Raises:
        ConfigurationError: it is one of these.
    """
    key, equals, value = word.partition("=")
    name = key.lstrip("+~").partition(".")[0]
    if not equals or name in {"hydra", "experiment", "resume", "skip"}:
        raise ConfigurationError(name, word, f"cannot be chosen for {what}", "key=value, or group=option, of one configuration")
    if "," in value and not value.startswith(("[", "{", "'", '"', "lognormal")):
        raise ConfigurationError(key, value, f"is several values, and {what} is of one configuration", "one value")
