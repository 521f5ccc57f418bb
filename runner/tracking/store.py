"""MLflow stores in files: the one under ``outputs/``, or a SQLite database of the user. Artifacts lie beside the database."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from runner.errors import TrackingError
from runner.files import ARTIFACTS, outputs

_SQLITE = "sqlite:///"


def database_uri() -> str:
    """The tracking URI of the local store."""
    return uri_of(outputs() / "mlflow.db")


def uri_of(database: Path) -> str:
    """The tracking URI of a database."""
    # Of an address, the path ends at a question mark, and %2F is a slash.
    path = database.as_posix().replace("%", "%25").replace("?", "%3F")
    return f"{_SQLITE}{path}"


def artifacts_uri() -> str:
    """The address of the local store's artifacts."""
    return artifacts_beside(outputs() / "mlflow.db")


def artifacts_beside(database: Path) -> str:
    """The address for artifacts of runs in ``database``. By default MLflow would put them into the current folder."""
    return (database.parent / ARTIFACTS).as_uri()


def database_file(uri: str) -> Path | None:
    """The absolute path of the SQLite database that a tracking URI names; None if it names anything else."""
    path = unquote(uri.removeprefix(_SQLITE).partition("?")[0], errors="surrogateescape")
    return Path(path).absolute() if uri.startswith(_SQLITE) and path not in {"", ":memory:"} else None


def refuse_missing(uri: str) -> None:
    """Refuse a database that is not there, which MLflow would make.

    Raises:
        TrackingError: there is no such store.
    """
    database = database_file(uri)
    if database is not None and not database.exists():
        raise TrackingError(
            f"{uri}: there is no such store\n  accepted: --uri of a store with runs, such as sqlite:///outputs/mlflow.db"
        )


def may_contact(uri: str | None) -> bool:
    """Whether a store that a record names is the user's own: the one under ``outputs/``, or the one that MLflow's variable names.

    To any other, which may be a stranger's, MLflow would send the user's password or token, and the files of the record.
    """
    return uri is None or uri == os.environ.get("MLFLOW_TRACKING_URI")
