"""Moves credentials from the address of an MLflow server to the environment variables from which MLflow reads them."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping, Sequence
from urllib.parse import unquote

from runner.secrets import learn


def credentials_to_environment(words: Sequence[str], environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """The words of a command line without the credentials in ``tracking.uri=``, which go to MLflow's own variables.

    So neither Hydra's files nor the record contain them. To run the record's command again, the user sets the same variables.
    """
    return [f"tracking.uri={uri_without_credentials(word.partition('=')[2], environment)}" if word.startswith("tracking.uri=") else word for word in words]  # fmt: skip


def uri_without_credentials(uri: str, environment: MutableMapping[str, str] = os.environ) -> str:
    """The address of an MLflow server without its user and password, which go to MLflow's own variables."""
    # A name without a dot may have a password behind it in which there is a slash.
    match = re.fullmatch(r"(['\"]?)(https?://)([^/]*|(?!localhost:)[^/:@.]*:.*)@([^@]*)", uri)
    if match is None:
        return uri
    user, colon, password = match[3].partition(":")
    if colon:
        environment["MLFLOW_TRACKING_USERNAME"] = unquote(user)
        environment["MLFLOW_TRACKING_PASSWORD"] = unquote(password)
    else:
        environment["MLFLOW_TRACKING_TOKEN"] = unquote(user)
    learn([unquote(password if colon else user)])
    return f"{match[1]}{match[2]}{match[4]}"
