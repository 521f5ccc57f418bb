"""Functions of the user's own, named in the configuration as ``package.module:name``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from runner.errors import ConfigurationError


def imported(key: str, named: str, accepted: str) -> Callable[[Any], Any]:
    """The function that ``key=named`` names, imported now.

    Raises:
        ConfigurationError: there is none.
    """
    module, _, name = named.partition(":")
    try:
        function = getattr(import_module(module), name)
    except ImportError as error:
        raise ConfigurationError(key, named, f"cannot be imported: {error}", accepted) from error
    except AttributeError as error:
        raise ConfigurationError(key, named, f"{module} has no {name}", accepted) from error
    if not callable(function):
        raise ConfigurationError(key, named, f"is no function but {type(function).__name__}", accepted)
    return function  # type: ignore[no-any-return]
