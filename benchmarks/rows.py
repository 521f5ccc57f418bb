"""What every image's row costs: bytes on disk and in MLflow, the conductor's CPU and memory, the size of the trace.

    python benchmarks/rows.py [--images 500000] [--workers 2]

Two rounds of two epochs of next to nothing, after a small run that takes the imports upon itself.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from runner.commands.dispatch import dispatch
from runner.host.usage import largest_resident_bytes

_SMALL = 1_000
_ROUNDS = _EPOCHS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        os.chdir(folder)
        _run(_SMALL, arguments.workers)
        small_s, small_bytes = time.process_time(), largest_resident_bytes() or 0
        began = time.perf_counter()
        point = _run(arguments.images, arguments.workers)
        wall_s = time.perf_counter() - began
        whole_s, peak_bytes = time.process_time(), largest_resident_bytes() or 0
        rows = arguments.images * _ROUNDS * _EPOCHS
        copies = [path for path in Path("outputs/mlartifacts").rglob("*.parquet") if path.stat().st_size > 100 * _SMALL]
        on_disk = _bytes((point / "images").iterdir())
        print(f"{rows} rows in {wall_s:.1f} s")
        print(f"  on disk {on_disk / 1e6:.1f} MB, {on_disk / rows:.1f} bytes a row; in MLflow {_bytes(copies) / 1e6:.1f} MB")
        print(f"  trace.json {_bytes([point / 'trace.json']) / 1e6:.1f} MB")
        print(f"  conductor: {whole_s - small_s:.1f} s of CPU, {(whole_s - small_s) / rows * 1e6:.2f} µs a row")
        print(f"  its largest resident memory {peak_bytes / 1e6:.0f} MB, after {_SMALL} images {small_bytes / 1e6:.0f} MB")


def _run(images: int, workers: int) -> Path:
    """Run the program in this process, as its user would; returns the point's folder."""
    words = [
        "mode=thread_pool", f"workers={workers}", f"images={images}", f"protocol.rounds={_ROUNDS}", f"protocol.epochs={_EPOCHS}",
        "protocol.warmup_epochs=0", "protocol.timeout_s=3600", "task=math", "task.size=1", "task.repeats=1", "source=synthetic",
        "source.count=1", "source.width=8", "source.height=8",
    ]  # fmt: skip
    with Path(os.devnull).open("w", encoding="utf-8") as unseen, contextlib.redirect_stdout(unseen):
        status = dispatch(words)
    if status:
        raise SystemExit(f"the run of {images} images ended with status {status}")
    return max(Path().glob("outputs/runs/*/*"))


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


if __name__ == "__main__":
    main()
