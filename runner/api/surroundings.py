"""Leaves the process that calls this program as it was: a kernel or a service goes on afterwards, and may use Hydra and MLflow itself."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
from collections.abc import Iterator

from runner.secrets.streams import mask_streams
from runner.sweeps import exit_status
from runner.trial.fork_server import end_fork_servers

# What MLflow is set to by these variables holds while a record is logged, and is no setting of the caller's.
_OURS = "MLFLOW_"
_SECRETS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_settings: dict[str, str] = {}


@contextlib.contextmanager
def left_as_they_were() -> Iterator[None]:
    """Put back what a run changes of this process: its words, its path for modules, its environment, its streams, and what libraries hold.

    Fork servers are ended: one that lived on would give later trials the environment of this one.
    """
    with contextlib.ExitStack() as after:
        after.enter_context(exit_status.apart())
        after.enter_context(_environment())
        after.enter_context(_words_and_streams())
        after.enter_context(_hydra())
        after.enter_context(_connections())
        after.callback(end_fork_servers)
        yield


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    for name, value in _settings.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        now = dict(os.environ)
        _settings.update(
            {name: now[name] for name in now if name.startswith(_OURS) and name not in before and name not in _SECRETS}
        )
        for name in now.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _words_and_streams() -> Iterator[None]:
    words, path, out, errors = list(sys.argv), list(sys.path), sys.stdout, sys.stderr
    mask_streams()
    try:
        yield
    finally:
        sys.argv[:], sys.path[:] = words, path
        sys.stdout, sys.stderr = out, errors


@contextlib.contextmanager
def _hydra() -> Iterator[None]:
    """Have Hydra's objects hold what they held, which are the same objects: programs keep them."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf

    from runner.config.resolvers import RESOLVERS

    Plugins.instance()  # once for all: what plugins store stays
    store, running, config = ConfigStore.instance(), GlobalHydra.instance(), HydraConfig.instance()
    stored, hydra, composed = store.repo, running.hydra, config.cfg
    new = [name for name in (*RESOLVERS, "runner_plugins") if not OmegaConf.has_resolver(name)]
    store.repo = copy.deepcopy(stored)
    running.clear()
    config.cfg = None
    try:
        yield
    finally:
        store.repo, running.hydra, config.cfg = stored, hydra, composed
        for name in new:
            OmegaConf.clear_resolver(name)


@contextlib.contextmanager
def _connections() -> Iterator[None]:
    """Bound what MLflow's server answers during the run, and nothing that is answered later."""
    from urllib3.connection import HTTPConnection

    before = HTTPConnection.response_class
    if (bounds := sys.modules.get("runner.tracking.bounded_answers")) is not None:
        bounds.apply(float(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]))
    try:
        yield
    finally:
        HTTPConnection.response_class = before
