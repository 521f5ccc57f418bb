"""The MLflow store under ``outputs/``: a SQLite database, and the artifacts beside it."""

from __future__ import annotations

from runner.folders import ARTIFACTS, outputs


def database_uri() -> str:
    """The tracking URI of the local store."""
    return f"sqlite:///{(outputs() / 'mlflow.db').as_posix()}"


def artifacts_uri() -> str:
    """Where the local store's artifacts lie; told to MLflow, which would put them into the current folder."""
    return (outputs() / ARTIFACTS).as_uri()
