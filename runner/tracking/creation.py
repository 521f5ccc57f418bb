"""Makes a fresh MLflow database, whole or not at all: a half made one can be used by no version of MLflow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from runner.disk import move, remove
from runner.tracking.store import uri_of


def create_database(database: Path) -> None:
    """Make an empty database beside its place, and move it there. The caller holds the lock of the store.

    Raises:
        StorageError: it cannot be moved into place.
    """
    for left in database.parent.glob(f".{database.name}.*"):  # of a program that was killed
        remove(left)
    handle, name = tempfile.mkstemp(dir=database.parent, prefix=f".{database.name}.")
    os.close(handle)
    made = Path(name)
    try:
        client: Any = MlflowClient(tracking_uri=uri_of(made))
        client.search_experiments()
        client._tracking_client.store.engine.dispose()  # noqa: SLF001  (there is no public way to close a store)
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o666 & ~mask)
        move(made, database)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
