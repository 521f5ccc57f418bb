"""Passwords and tokens never reach a record, a log, a tag or an artifact: they are masked on the way to all of these."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from runner.folders import write_atomically

MASK = "***"

# What stands before the last @ of a URL's authority, and the values of a query; with Hydra's backslashes or without.
_CREDENTIALS = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*\\?://)[^/\s'\"?#]*@", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[?&;])(?P<name>[\w.-]+)(?P<equals>\\?=)(?P<value>[^&\s'\"#;]+)")
_NAME = re.compile(r"[\w.-]+")
_SECRET_NAME = re.compile(
    r"token|secret|signature|passw|passphrase|pwd|credential|authorization|cookie|connection.?string|(^|[_.-])(sig|auth)$|(^|[_.-]|api|access)key(id)?$", re.IGNORECASE
)  # fmt: skip


def is_secret(name: str) -> bool:
    """Whether something of this name (a variable, a key, a query's field) is likely to be a secret."""
    return _NAME.fullmatch(name) is not None and _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """``text`` with the credentials of URLs, and the values of secret fields of their queries, replaced by ``***``."""
    text = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
    return _QUERY.sub(lambda found: f"{found['name']}{found['equals']}{MASK}" if is_secret(found["name"]) else found[0], text)


def masked_data(value: Any) -> Any:
    """Plain data with every text in it masked, and the whole text of what has a secret's name."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(inside, str) and is_secret(str(key)) else masked_data(inside)
            for key, inside in value.items()
        }
    if isinstance(value, Sequence):
        return [masked_data(inside) for inside in value]
    return value


def masked_override(word: str) -> str:
    """A word of the command line, ``key=value``."""
    key, equals, value = word.partition("=")
    return f"{key}={MASK}" if equals and value and is_secret(key) else masked(word)


def mask_file(path: Path) -> None:
    """Mask a text file in its place; one that has no secret, or is not there, is left alone."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return
    if (safe := masked(text)) != text:
        write_atomically(path, lambda file: print(safe, file=file, end=""))


def mask_hydra_files(folder: Path) -> None:
    """Mask what Hydra wrote of a run's configuration into the run's folder."""
    for path in sorted((folder / ".hydra").glob("*.yaml")):
        mask_file(path)


def credentials_to_environment(words: Sequence[str], environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """The words of a command line, where ``tracking.uri=`` keeps its address and MLflow's own variables get its credentials.

    So neither Hydra's files nor the record hold them, and whoever runs the record's command sets the same variables.
    """
    return [f"tracking.uri={uri_without_credentials(word.partition('=')[2], environment)}" if word.startswith("tracking.uri=") else word for word in words]  # fmt: skip


def uri_without_credentials(uri: str, environment: MutableMapping[str, str] = os.environ) -> str:
    """The address of an MLflow server; a user and password in it go to the variables from which MLflow takes them."""
    found = re.fullmatch(r"(['\"]?)(https?://)([^/]*)@([^@]*)", uri)
    if found is None:
        return uri
    parts = urlsplit(f"{found[2]}{found[3]}@host")
    if parts.password is None:
        environment["MLFLOW_TRACKING_TOKEN"] = unquote(parts.username or "")
    else:
        environment["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
        environment["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password)
    return f"{found[1]}{found[2]}{found[4]}"
