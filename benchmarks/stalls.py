"""Whether ``runner diagnose`` finds the waits and the work that were put in: a server of known latency, a task of known CPU time.

python benchmarks/stalls.py [--rounds 5] [--images 20]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

from runner.analysis.stalls import Diagnosis
from runner.sweeps.diagnosing import diagnose

BURN = """
import time

def ms{name}(data):
    until = time.thread_time() + {seconds}
    while time.thread_time() < until:
        pass
    return data[:8]
"""

# Seconds until a server answers, and CPU seconds an image.
PUT_IN = ((0.02, 0.01), (0.05, 0.01), (0.02, 0.04), (0.05, 0.04))
MODES = (("sequential", 1), ("process", 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20)
    arguments = parser.parse_args()
    print(
        f"{'mode':<16}{'part':<13}{'put in':>9}{'found':>9}{'off by':>10}   ms an image; the fetch is less what a request takes without latency"
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sys.path.append(folder)
        Path("burning.py").write_text("".join(BURN.format(name=round(cpu_s * 1e3), seconds=cpu_s) for cpu_s in (0.01, 0.04)))
        for mode, workers in MODES:
            nothing = _found(mode, workers, 0.0, 0.01, arguments)
            for latency_s, cpu_s in PUT_IN:
                found = _found(mode, workers, latency_s, cpu_s, arguments)
                for part, truth, less in (("fetch", latency_s, _seconds(nothing, "fetch")), ("preparation", cpu_s, 0.0)):
                    put_in, seen = truth / workers, _seconds(found, part) - less
                    off = f"{(seen / put_in - 1) * 100:+.1f} %"
                    print(f"{f'{mode} × {workers}':<16}{part:<13}{put_in * 1e3:>9.2f}{seen * 1e3:>9.2f}{off:>10}", flush=True)


def _found(mode: str, workers: int, latency_s: float, cpu_s: float, arguments: argparse.Namespace) -> Diagnosis:
    words = [
        f"mode={mode}", f"workers={workers}", f"images={arguments.images}", "task=function", f"task.function=burning:ms{round(cpu_s * 1e3)}",
        "source.serve=true", f"source.serve_latency_s={latency_s}", "monitor=off", "tracking=none", "protocol=quick", f"protocol.rounds={arguments.rounds}",
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = diagnose(words).found
    if found is None:
        raise SystemExit("one of the parts has no trial that succeeded")
    return found


def _seconds(found: Diagnosis, part: str) -> float:
    return next(one.seconds.value for one in found.parts if one.name == part)


if __name__ == "__main__":
    main()
