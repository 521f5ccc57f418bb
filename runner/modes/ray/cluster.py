"""A cluster of Ray: one that is started here and ends with the trial, or one of somebody else's that is joined."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from runner.config.options import Placement
from runner.config.options import Ray as Option
from runner.errors import TrialFailed

# How long whoever is at an address may take to answer, and workers to be given their places, in seconds.
ANSWER_S = 5.0
PLACE_S = 10.0

# How often Ray is asked for a connection by ``ray://``: the head starts a process for each one, and that process dies now and then
# before it runs, because a fork of a program with busy gRPC threads is not safe (ray-project/ray, issue 63202).
CLIENT_ATTEMPTS = 3

# Ray's folder for a cluster that is started here lies where the system keeps temporary ones, with a lock beside it as long as the
# trial lives. Paths of sockets, which Ray makes in it, are limited to 107 bytes.
_PREFIX = "runner-ray-"
_LONGEST_FOLDER = 40

# What Ray is told by its environment.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # without GPUs of its own a worker sees none
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # a head that has gone is not waited for a minute; Ray ends this process then
}
_OF_OUR_OWN = {
    "RAY_task_events_report_interval_ms": "0",  # nobody looks at the history of a million calls, which would be kept
}


def imported(option: Option) -> Any:
    """The package, which reads its environment while it is imported."""
    os.environ |= _QUIET
    if option.address is None:
        # Its ports are open to the network: nobody else may use them. Set here, no token is left in the user's home.
        os.environ |= {**_OF_OUR_OWN, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_NAMESPACE", "RAY_JOB_CONFIG_JSON_ENV_VAR"):
            os.environ.pop(name, None)
    import ray

    return ray


@dataclass
class Cluster:
    """What the workers are started on.

    Attributes:
        ray: the package.
        embedded: whether it was started here.
        group: Ray's placement group; None before ``place``.
        attempts: how often Ray was asked before it connected.
    """

    ray: Any
    embedded: bool
    _folder: _Folder | None = None
    group: Any = None
    attempts: int = 1

    @classmethod
    def started(cls, ray: Any, option: Option, workers: int) -> Cluster:
        """A cluster on this machine, with as many of Ray's CPUs as the workers ask for: they are counted, not enforced."""
        remove_abandoned()
        folder = _Folder.made()
        given_mb = option.object_store_mb
        try:
            with _told("mode=ray"):
                ray.init(
                    num_cpus=max(1, -(-workers * option.cpus_per_worker // 1)),
                    object_store_memory=None if given_mb is None else given_mb * 1_000_000,
                    _temp_dir=str(folder.path),
                    _node_ip_address="127.0.0.1",
                    **_init_words(),
                )
        except BaseException:
            folder.remove()
            raise
        return cls(ray, embedded=True, _folder=folder)

    @classmethod
    def joined(cls, ray: Any, address: str) -> Cluster:
        """The cluster at an address.

        Raises:
            TrialFailed: nobody answers there in ``ANSWER_S``, there is no such cluster, or its head failed ``CLIENT_ATTEMPTS`` times
                to start the process that serves a ``ray://`` connection.
        """
        if address != "auto":
            _knock(address)
        attempts = CLIENT_ATTEMPTS if address.startswith("ray://") else 1
        with _told(f"mode.address={address}"):
            for attempt in range(1, attempts + 1):
                try:
                    ray.init(address=address, **_init_words())
                    break
                except ConnectionAbortedError as error:  # the head's own failure, with its traceback as the text
                    if attempt == attempts:
                        reason = str(error).strip().splitlines()[-1].strip()
                        times = f"{attempts} time{'s' * (attempts > 1)}"
                        raise ConnectionAbortedError(f"the head failed {times} to serve a connection: {reason}") from error
        return cls(ray, embedded=False, attempts=attempt)

    def place(self, option: Option, workers: int) -> None:
        """Reserve room for every worker.

        Raises:
            TrialFailed: there is not so much.
        """
        from ray.util.placement_group import placement_group, remove_placement_group

        bundle = {"CPU": option.cpus_per_worker} | ({"GPU": option.gpus_per_worker} if option.gpus_per_worker else {})
        total, free = self.ray.cluster_resources(), self.ray.available_resources()
        wanted = {kind: each * workers for kind, each in bundle.items()}
        room = sum(
            min(int(node["Resources"].get(kind, 0.0) / each + 1e-9) for kind, each in bundle.items())
            for node in self.ray.nodes()
            if node["Alive"]
        )
        if room >= workers:
            strategy = "SPREAD" if option.placement is Placement.spread else "PACK"
            group = placement_group([bundle] * workers, strategy=strategy)
            if group.wait(PLACE_S):
                self.group = group
                return
            free = self.ray.available_resources()
            remove_placement_group(group)
        nodes = sum(1 for node in self.ray.nodes() if node["Alive"])
        asked = " and ".join(f"{amount:g} {kind}s" for kind, amount in wanted.items())
        has = " and ".join(f"{total.get(kind, 0):g} {kind}s ({free.get(kind, 0):g} of them free)" for kind in bundle)
        raise TrialFailed(
            f"{workers} workers ask for {asked}; the cluster has {has} on {nodes} node{'s' * (nodes != 1)}, room for {room} workers: "
            "fewer workers, or less of mode.cpus_per_worker and mode.gpus_per_worker",
            kind="NoRoom",
        )

    def where(self) -> dict[str, Any]:
        """How a worker is put into the room that is reserved."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        return {"scheduling_strategy": PlacementGroupSchedulingStrategy(self.group)}

    def names(self) -> Mapping[str, str]:
        """A name for each node, by Ray's id: its address, with the id where several have that."""
        nodes = self.ray.nodes()
        addresses = [node["NodeManagerAddress"] for node in nodes]
        return {
            node["NodeID"]: address if addresses.count(address) == 1 else f"{address}#{node['NodeID'][:8]}"
            for node, address in zip(nodes, addresses, strict=True)
        }

    def others(self, known: Sequence[int]) -> list[int]:
        """Processes of a cluster that was started here that its raylet started, without those that are ``known``.

        The raylet lets the system forget its children: what they have used is nowhere once they have ended.
        """
        if not self.embedded:
            return []
        try:
            me = psutil.Process()
            return [child.pid for child in me.children(recursive=True) if child.ppid() != me.pid and child.pid not in known]
        except (psutil.Error, OSError):
            return []

    def end(self) -> None:
        """Leave it as it was, or end it."""
        if self.group is not None:
            from ray.util.placement_group import remove_placement_group

            with contextlib.suppress(Exception):  # it goes with this driver in any case
                remove_placement_group(self.group)
        self.ray.shutdown()
        if self._folder is not None:
            self._folder.remove()


@dataclass
class _Folder:
    path: Path
    _lock: FileLock

    @classmethod
    def made(cls) -> _Folder:
        while True:
            path = _root() / f"{_PREFIX}{secrets.token_hex(4)}"
            lock = FileLock(f"{path}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            path.mkdir(mode=0o700)
            return cls(path, lock)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def remove_abandoned() -> None:
    """Remove the folders of clusters whose trials are no more: one that was killed could not do it."""
    for lock_file in _root().glob(f"{_PREFIX}*.lock"):
        with contextlib.suppress(Timeout, OSError), FileLock(lock_file, blocking=False):
            shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
            lock_file.unlink(missing_ok=True)


def _root() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) + len(_PREFIX) + 8 <= _LONGEST_FOLDER or os.name == "nt" else Path("/tmp")  # noqa: S108


def _init_words() -> dict[str, Any]:
    return {
        "include_dashboard": False,
        "log_to_driver": False,
        "configure_logging": False,
    }


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever Ray raises while it is started or joined into one error, and keep its chatter to itself."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TrialFailed(f"{what}: {reason}", kind=type(error).__name__) from error


def head_gone(address: str | None) -> TrialFailed | None:
    """In the conductor, when a trial has ended without a word: whether that was because nobody is at the head's address any more.

    Ray ends a process that has lost its cluster, without asking it.
    """
    if address in {None, "auto"} or (problem := _unreachable(str(address))) is None:
        return None
    return TrialFailed(
        f"mode.address={address}: the head of the cluster has gone ({problem}), and Ray has ended the trial with it",
        kind="ClusterLost",
    )


def _unreachable(address: str) -> str | None:
    """Why nobody listens there; None if somebody does."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _knock(address: str) -> None:
    """That somebody is there who speaks Ray's protocol: Ray itself tries for half a minute and more."""
    if (problem := _unreachable(address)) is not None:
        raise TrialFailed(f"mode.address={address}: cannot be reached: {problem}", kind="ClusterUnreachable")
    if os.environ.get("RAY_USE_TLS", "0") not in {"", "0"}:
        return  # Ray knows the certificates
    try:
        import grpc
    except ImportError:
        return  # that it listens is all that can be told without
    channel = grpc.insecure_channel(address.removeprefix("ray://"))
    try:
        grpc.channel_ready_future(channel).result(timeout=ANSWER_S)
    except grpc.FutureTimeoutError as error:
        message = f"mode.address={address}: something listens there, but no cluster of Ray answered in {ANSWER_S:g} s"
        raise TrialFailed(message, kind="ClusterUnreachable") from error
    finally:
        channel.close()
