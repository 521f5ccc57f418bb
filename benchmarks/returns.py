"""How fast 224 × 224 × 3 float32 arrays come back from worker processes: pickled, by shared memory, and by PyTorch's DataLoader.

python benchmarks/returns.py [--rounds 10] [--torch /path/to/a/python/that/has/torch]

The DataLoader hands over the same arrays from as many workers, one at a time (``batch_size=None``) and stacked by 32, after an epoch
of warm-up.
"""

from __future__ import annotations

import argparse
import functools
import subprocess
from collections.abc import Callable

from ready_task import Ready
from side_by_side import in_turn, plan, show, trial, work_s

from runner.config.options import ProcessPool, Returns
from runner.trial.supervisor import Supervisor

_LOADER = """
import sys, time, numpy as np, torch
workers, items, epochs, batch = map(int, sys.argv[1:])
class Arrays(torch.utils.data.Dataset):
    def __init__(self): self.array = np.random.default_rng(0).standard_normal((224, 224, 3), dtype=np.float32)
    def __len__(self): return items
    def __getitem__(self, item): return torch.from_numpy(self.array)
torch.set_num_threads(1)
loader = torch.utils.data.DataLoader(Arrays(), batch_size=batch or None, num_workers=workers, persistent_workers=True)
taken = []
for epoch in range(epochs + 1):
    began = time.perf_counter()
    seen = sum(one.numpy().nbytes for one in loader)
    taken.append(time.perf_counter() - began)
    assert seen == items * 224 * 224 * 3 * 4
print(sorted(taken[1:])[len(taken[1:]) // 2])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--torch", help="a Python that has torch; without it, the DataLoader is left out")
    arguments = parser.parse_args()
    workers, items, epochs = arguments.workers, arguments.items, 3
    supervisor = Supervisor()
    supervisor.warm()

    def ours(returns: Returns) -> float:
        mode = ProcessPool(returns=returns)
        of = plan(mode, workers=workers, items=items, epochs=epochs, warmup_epochs=1, task=Ready(), task_module="ready_task")
        return work_s(trial(supervisor, of))

    def loader(batch: int) -> float:
        words = [arguments.torch, "-c", _LOADER, *map(str, (workers, items, epochs, batch))]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    sides: dict[str, Callable[[], float]] = {returns.value: functools.partial(ours, returns) for returns in Returns}
    if arguments.torch:
        sides |= {"DataLoader": functools.partial(loader, 0), "DataLoader, by 32": functools.partial(loader, 32)}
    seen = in_turn(arguments.rounds, sides)
    per_item = {name: [value / items * 1e6 for value in values] for name, values in seen.items()}
    for against in ("pickle", *(["DataLoader", "DataLoader, by 32"] if arguments.torch else [])):
        show(f"{items} arrays of 602 KB from {workers} processes, against {against}", "µs an array", per_item, against)


if __name__ == "__main__":
    main()
