"""How long the report of a large sweep takes, and how large it is: a measured sweep's first point a thousand times.

python benchmarks/report.py outputs/sweeps/2026-01-31/12-00-00-000000
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from runner.report.page import write_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a sweep")
    parser.add_argument("--points", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        many = Path(temporary)
        enlarge(arguments.folder, many, arguments.points)
        began = time.perf_counter()
        report = write_report(many)
        took_s, size = time.perf_counter() - began, report.stat().st_size
        pictures = sum(path.stat().st_size for path in many.glob("*.svg"))
    print(f"{arguments.points} points: {took_s:.1f} s, report.html {size / 1e6:.1f} MB, its pictures {pictures / 1e6:.1f} MB")


def enlarge(folder: Path, many: Path, points: int) -> None:
    """Copy the first point of a sweep under other modes, worker counts and image counts."""
    sweep = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    first = folder / sweep["points"][0]["folder"]
    record = json.loads((first / "result.json").read_text(encoding="utf-8"))
    entries = []
    for number in range(points):
        mode, workers, images = (
            ("thread", "process", "thread_pool", "process_pool")[number % 4],
            1 + number // 4 % 16,
            10 + number // 64,
        )
        record["config"] |= {"mode": {"name": mode}, "workers": workers, "images": images}
        target = many / str(number)
        target.mkdir()
        (target / "result.json").write_text(json.dumps(record), encoding="utf-8")
        shutil.copy(first / "samples.csv", target)
        shutil.copytree(first / "images", target / "images")
        entries.append(sweep["points"][0] | {"name": f"{mode}-w{workers} images={images}", "folder": str(number)})
    sweep |= {"points": entries, "comparisons": [], "baseline": entries[0]["name"]}
    (many / "sweep.json").write_text(json.dumps(sweep), encoding="utf-8")


if __name__ == "__main__":
    main()
