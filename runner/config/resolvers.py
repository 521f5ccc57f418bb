"""What presets can say of this host: ``${doubled_workers:}`` in a YAML file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from runner.host.environment import usable_cpus


def doubled_workers() -> str:
    """1, 2, 4 and so on up to twice the CPUs that may be used, as a sweep takes them: ``1,2,4``."""
    most = max(2, math.floor(2 * usable_cpus()))
    numbers = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return ",".join(map(str, numbers if numbers[-1] == most else [*numbers, most]))


RESOLVERS: Mapping[str, Callable[[], str]] = {"doubled_workers": doubled_workers}
