"""A cluster of Ray: one that is started here and ends with the trial, or one that runs already and is joined."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from runner.config.options import Placement
from runner.config.options import Ray as Option
from runner.errors import TrialFailed
from runner.modes.ray.connection import connect, start_ray
from runner.modes.ray.temporary_folder import TemporaryFolder, remove_abandoned

# How long Ray may take to reserve room for the workers, in seconds.
RESERVE_S = 10.0


@dataclass
class Cluster:
    """What the workers are started on.

    Attributes:
        ray: the package.
        embedded: whether it was started here.
        group: Ray's placement group; None before ``reserve``.
        attempts: how many attempts it took to connect.
    """

    ray: Any
    embedded: bool
    _folder: TemporaryFolder | None = None
    group: Any = None
    attempts: int = 1

    @classmethod
    def started(cls, ray: Any, option: Option, workers: int) -> Cluster:
        """A cluster on this machine, with as many of Ray's CPUs as the workers ask for: Ray counts CPUs, it enforces nothing."""
        remove_abandoned()
        folder = TemporaryFolder.made()
        store_mb = option.object_store_mb
        try:
            start_ray(
                ray,
                num_cpus=max(1, -(-workers * option.cpus_per_worker // 1)),
                object_store_memory=None if store_mb is None else store_mb * 1_000_000,
                _temp_dir=str(folder.path),
                _node_ip_address="127.0.0.1",
            )
        except BaseException:
            folder.remove()
            raise
        return cls(ray, embedded=True, _folder=folder)

    @classmethod
    def joined(cls, ray: Any, address: str) -> Cluster:
        """The cluster at an address.

        Raises:
            TrialFailed: it cannot be reached, or cannot be joined.
        """
        return cls(ray, embedded=False, attempts=connect(ray, address))

    def reserve(self, option: Option, workers: int) -> None:
        """Reserve room for every worker.

        Raises:
            TrialFailed: there is not enough.
        """
        from ray.util.placement_group import placement_group, remove_placement_group

        bundle = {"CPU": option.cpus_per_worker} | ({"GPU": option.gpus_per_worker} if option.gpus_per_worker else {})
        free = self.ray.available_resources()
        room = self._room(bundle)
        if room >= workers:
            strategy = "SPREAD" if option.placement is Placement.spread else "PACK"
            group = placement_group([bundle] * workers, strategy=strategy)
            if group.wait(RESERVE_S):
                self.group = group
                return
            free = self.ray.available_resources()
            remove_placement_group(group)
        raise self._no_room(bundle, workers, room, free)

    def actor_options(self) -> dict[str, Any]:
        """What puts an actor into the room that is reserved."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        return {"scheduling_strategy": PlacementGroupSchedulingStrategy(self.group)}

    def node_names(self) -> Mapping[str, str]:
        """A name for each node, by Ray's id: its address, followed by the id where several nodes have that address."""
        nodes = self.ray.nodes()
        addresses = [node["NodeManagerAddress"] for node in nodes]
        return {
            node["NodeID"]: address if addresses.count(address) == 1 else f"{address}#{node['NodeID'][:8]}"
            for node, address in zip(nodes, addresses, strict=True)
        }

    def other_processes(self, workers: Sequence[int]) -> list[int]:
        """The pids of processes that the raylet of a cluster started here has started, without the ``workers``.

        They must be read while they live. The raylet ignores the exit of its children, and what they have used is then lost.
        """
        if not self.embedded:
            return []
        try:
            me = psutil.Process()
            return [child.pid for child in me.children(recursive=True) if child.ppid() != me.pid and child.pid not in workers]
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

    def _room(self, bundle: Mapping[str, float]) -> int:
        """How many workers that need ``bundle`` fit on the nodes when these are empty."""
        return sum(
            min(int(node["Resources"].get(kind, 0.0) / each + 1e-9) for kind, each in bundle.items())
            for node in self.ray.nodes()
            if node["Alive"]
        )

    def _no_room(self, bundle: Mapping[str, float], workers: int, room: int, free: Mapping[str, float]) -> TrialFailed:
        total = self.ray.cluster_resources()
        nodes = sum(1 for node in self.ray.nodes() if node["Alive"])
        asked = " and ".join(f"{each * workers:g} {kind}s" for kind, each in bundle.items())
        has = " and ".join(f"{total.get(kind, 0):g} {kind}s ({free.get(kind, 0):g} of them free)" for kind in bundle)
        return TrialFailed(
            f"{workers} workers ask for {asked}; the cluster has {has} on {nodes} node{'s' * (nodes != 1)}, room for {room} workers: "
            "fewer workers, or less of mode.cpus_per_worker and mode.gpus_per_worker",
            kind="NoRoom",
        )
