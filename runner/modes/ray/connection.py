"""The package ``ray`` imported, and connected to a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import warnings
from collections.abc import Iterator
from typing import Any

from runner.config.options import Ray as Option
from runner.errors import TrialFailed, first_line

# How long a cluster may take to answer at its address, in seconds.
ANSWER_S = 5.0

# How often Ray is asked for a connection by ``ray://``. The head starts a process for each one, and now and then that process dies
# before it runs, because a fork of a program with busy gRPC threads is not safe (ray-project/ray, issue 63202).
CLIENT_ATTEMPTS = 3

# Ray reads its settings from the environment.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a worker without GPUs of its own sees none
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # how long to wait for a lost head, after which Ray ends this process; usually 60 s
}
_SETTINGS_OF_OUR_OWN_CLUSTER = {
    "RAY_task_events_report_interval_ms": "0",  # keeps no history of the calls: a million of them, and it is not read
    "RAY_AUTH_MODE": "token",  # the cluster's ports are open to the network, and no other program may use them
}
_NOT_FOR_OUR_OWN_CLUSTER = ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_NAMESPACE", "RAY_JOB_CONFIG_JSON_ENV_VAR")


def imported_ray(option: Option) -> Any:
    """The package. It reads the environment while it is imported, which is therefore set here."""
    os.environ |= _SETTINGS
    if option.address is None:
        # A token that is set here is not written into the user's home.
        os.environ |= {**_SETTINGS_OF_OUR_OWN_CLUSTER, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        for name in _NOT_FOR_OUR_OWN_CLUSTER:
            os.environ.pop(name, None)
    import ray

    return ray


def start_ray(ray: Any, **arguments: Any) -> None:
    """Start a cluster here.

    Raises:
        TrialFailed: Ray could not.
    """
    with _translated("mode=ray"):
        _init(ray, **arguments)


def connect(ray: Any, address: str) -> int:
    """Connect to the cluster at ``address``. Returns how many attempts it took.

    Raises:
        TrialFailed: nothing answers there in ``ANSWER_S``, there is no such cluster, or its head failed ``CLIENT_ATTEMPTS`` times to
            start the process that serves a ``ray://`` connection.
    """
    if address != "auto":
        _check_answers(address)
    attempts = CLIENT_ATTEMPTS if address.startswith("ray://") else 1
    with _translated(f"mode.address={address}"):
        for attempt in range(1, attempts + 1):
            failure = _head_failure(ray, address)
            if failure is None:
                return attempt
        reason = str(failure).strip().splitlines()[-1].strip()
        times = f"{attempts} time{'s' * (attempts > 1)}"
        raise ConnectionAbortedError(f"the head failed {times} to serve a connection: {reason}") from failure


def head_gone(address: str | None) -> TrialFailed | None:
    """In the conductor, when a trial has ended without a report: an error if the head of its cluster no longer answers.

    Ray ends a process that has lost its cluster, without asking the process.
    """
    if address in {None, "auto"} or (problem := _unreachable(str(address))) is None:
        return None
    return TrialFailed(
        f"mode.address={address}: the head of the cluster has gone ({problem}), and Ray has ended the trial with it",
        kind="ClusterLost",
    )


def _init(ray: Any, **arguments: Any) -> None:
    ray.init(**arguments, include_dashboard=False, log_to_driver=False, configure_logging=False)


def _head_failure(ray: Any, address: str) -> ConnectionAbortedError | None:
    """Try to connect. Returns the failure of the head, whose text is a traceback; None if connected."""
    try:
        _init(ray, address=address)
    except ConnectionAbortedError as error:
        return error
    return None


@contextlib.contextmanager
def _translated(subject: str) -> Iterator[None]:
    """Turn whatever Ray raises into one error about ``subject``, and suppress its warnings and log lines."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise TrialFailed(f"{subject}: {first_line(error)}", kind=type(error).__name__) from error


def _unreachable(address: str) -> str | None:
    """Why a connection to the address fails; None if it does not."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _check_answers(address: str) -> None:
    """Raise unless a program that speaks Ray's protocol listens there. Ray itself would try for half a minute and more."""
    if (problem := _unreachable(address)) is not None:
        raise TrialFailed(f"mode.address={address}: cannot be reached: {problem}", kind="ClusterUnreachable")
    if os.environ.get("RAY_USE_TLS", "0") not in {"", "0"}:
        return  # the certificates are known to Ray only
    try:
        import grpc
    except ImportError:
        return  # without it no more can be found out
    channel = grpc.insecure_channel(address.removeprefix("ray://"))
    try:
        grpc.channel_ready_future(channel).result(timeout=ANSWER_S)
    except grpc.FutureTimeoutError as error:
        message = f"mode.address={address}: something listens there, but no cluster of Ray answered in {ANSWER_S:g} s"
        raise TrialFailed(message, kind="ClusterUnreachable") from error
    finally:
        channel.close()
