"""A cluster of Ray of several nodes on this machine: a head, and nodes at loopback addresses, one of them as if on another host."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from support.paths import ROOT
from support.program import can_be_apart

# By how much the clock of the node on another host is ahead, in seconds.
AHEAD_S = 5000

_QUICK = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "GRPC_ENABLE_FORK_SUPPORT": "false",  # or what the head starts for a ray:// connection dies now and then in its fork
    # A store that is full is full: nothing goes to the disk instead.
    "RAY_local_fs_capacity_threshold": "0.01",
    "RAY_automatic_object_spilling_enabled": "0",
    # A dead node is noticed in two seconds instead of fifteen.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


class Node:
    """One node; its processes end with ``kill``, as if the power had gone."""

    def __init__(self, words: Sequence[str], before: str = "") -> None:
        program = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *words]
        tests = ROOT / "tests"
        env = os.environ | _QUICK | {"PYTHONPATH": f"{tests}{os.pathsep}{tests.parent}"}
        if before:  # a time namespace is its children's only, so the shell stays
            apart = ["unshare", "--uts", "--mount", "--time", "--monotonic", str(AHEAD_S), "bash", "-c"]
            program = [*apart, before + 'exec "$@"', "bash", *program]
        handle, path = tempfile.mkstemp(prefix="ray-node-")
        self._output = Path(path)
        self.process = subprocess.Popen(program, env=env, stdout=handle, stderr=subprocess.STDOUT)
        os.close(handle)

    def wait(self) -> Node:
        limit = time.monotonic() + 60
        while "Ray runtime started" not in (said := self._output.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < limit, said
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        below: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            below = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        self._output.unlink(missing_ok=True)
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()


class Cluster:
    """A head without CPUs, a node of two on this host, and where the system allows it one of two as if on another.

    Args:
        hidden: as below.
        alone: of a head with two CPUs and no other node.

    Attributes:
        hidden: a folder that is empty on the other host.
        apart: whether there is another host.
    """

    def __init__(self, hidden: Path, *, alone: bool = False) -> None:
        self.hidden = hidden
        self.port, self.client_port, agent = (_free_port() for _ in range(3))
        self.address = f"127.0.0.1:{self.port}"
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        self.apart = not alone and can_be_apart("uts", "mount", "time")
        self.nodes: list[Node] = []
        head = [
            "--head", f"--port={self.port}", f"--num-cpus={2 if alone else 0}", "--include-dashboard=false", f"--temp-dir={self.folder}",
            f"--ray-client-server-port={self.client_port}", f"--runtime-env-agent-port={agent}", "--object-store-memory=100000000",
        ]  # fmt: skip
        try:
            self.nodes.append(Node(head).wait())
            if not alone:
                self.add("127.0.0.2")  # one after the other: two at the same time look for free ports, and find the same
            if self.apart:
                self.add("127.0.0.3", before=f"hostname elsewhere && mount -t tmpfs none {hidden} && ")
        except BaseException:
            self.end()
            raise

    def add(self, ip: str, *, before: str = "", cpus: int = 2) -> Node:
        words = [
            f"--address={self.address}",
            f"--node-ip-address={ip}",
            f"--num-cpus={cpus}",
            "--object-store-memory=100000000",
        ]
        node = Node(words, before)
        self.nodes.append(node)
        return node.wait()

    def workers(self) -> list[psutil.Process]:
        """The processes of its nodes that handle images."""
        roots = [psutil.Process(node.process.pid) for node in self.nodes if node.process.poll() is None]
        return [child for root in roots for child in root.children(recursive=True) if "ImageWorker" in child.name()]

    def end(self) -> None:
        for node in reversed(self.nodes):
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def running(hidden: Path, *, alone: bool = False) -> Iterator[Cluster]:
    cluster = Cluster(hidden, alone=alone)
    try:
        yield cluster
    finally:
        cluster.end()
