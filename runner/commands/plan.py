"""``runner plan FOLDER --images 1e9``: from a measured sweep to machines, hours and money, on paper.

Every figure follows from one measured throughput and from the assumptions that are printed with it. None of them is a measurement.
"""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from runner.analysis.capacity import Capacity, Range, capacity
from runner.analysis.recommendation import recommended
from runner.display.console import console
from runner.errors import RunnerError
from runner.record.reading import PointRecord, read_sweep

_UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument("--images", required=True, help="how many images, such as 1e9")
    parser.add_argument("--deadline", help="when all must be done, such as 24h, 90min or 3d")
    parser.add_argument("--price-per-cpu-hour", type=float, help="in whatever currency")
    parser.add_argument("--point", help="the name of the point; by default the point recommended by throughput")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    images = _positive("--images", arguments.images)
    deadline_s = None if arguments.deadline is None else duration_s(arguments.deadline)
    price = _price(arguments.price_per_cpu_hour)
    point = _chosen(arguments.folder, arguments.point)
    _print(point, images, capacity(point.record, images, deadline_s, price), deadline_s, price)
    return 0


def duration_s(text: str) -> float:
    """``24h``, ``90min``, ``3d`` as seconds.

    Raises:
        RunnerError: the text is no duration.
    """
    match = re.fullmatch(r"([0-9.]+)\s*(s|m|min|h|d)", text.strip())
    try:
        seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise RunnerError(
            f"--deadline={text}: is no duration; accepted: a number with one of the units s, min, h or d, such as 24h"
        )
    return seconds


def _chosen(folder: Path, name: str | None) -> PointRecord:
    sweep = read_sweep(folder)
    if name is not None:
        for point in sweep.measured:
            if point.label == name:
                return point
        raise RunnerError(
            f"--point={name}: there is no such point\n  accepted: {', '.join(point.label for point in sweep.measured)}"
        )
    fastest = recommended(sweep.measured, "throughput")
    if fastest is None:
        raise RunnerError(f"{folder}: no point of this sweep went well")
    return fastest.point


def _price(price: float | None) -> float | None:
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise RunnerError(f"--price-per-cpu-hour={price}: is no price; accepted: a number of 0 or more")
    return price


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value >= 1):
        raise RunnerError(f"{name}={text}: is no number of images; accepted: a number of 1 or more, such as 1e9")
    return value


def _print(point: PointRecord, images: float, plan: Capacity, deadline_s: float | None, price: float | None) -> None:
    out = console()
    table = Table(title=f"{images:,.0f} images with {escape(point.label)}, on paper", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    rows = [
        ("machine-hours", plan.machine_hours, ".1f"),
        ("machines", plan.machines, ".0f"),
        ("hours until done", plan.hours, ".2f"),
    ]
    for title, quantity, digits in [*rows, ("price", plan.money, ",.2f")]:
        if quantity is not None:
            table.add_row(title, _shown(quantity, digits))
    out.print(table)
    out.print("It assumes:")
    for line in _assumptions(point, deadline_s, price):
        out.print(f"  - {line}", markup=False, soft_wrap=True)


def _assumptions(point: PointRecord, deadline_s: float | None, price: float | None) -> list[str]:
    environment = point.record["environment"]
    rate = point.record["metrics"]["images_per_s"]
    cpus = max(trial["cpus_usable"] for trial in point.record["trials"])
    lines = [
        f"every machine is like the measured one ({environment['cpu']}, {cpus:g} CPUs) and does {rate['value']:.1f} images/s",
        "the images are like the measured ones, and arrive as quickly however many machines ask for them",
        "the work divides evenly, no machine slows another down or fails, and each starts once",
        "machines are there at once, and throughput over hours is that of the seconds that were measured",
    ]
    if price is not None:
        lines.append(
            f"an hour of a CPU costs {price:g}, for all {cpus:g} CPUs of a machine as long as it runs; nothing else costs"
        )
    if deadline_s is not None:
        lines.append(f"all is done within {deadline_s / 3600:g} h of the start")
    if rate["low"] is None:
        lines.append("there is no interval: it needs six rounds of the sweep or more, as protocol=standard has them")
    return lines


def _shown(quantity: Range, digits: str) -> str:
    if quantity.low is None or quantity.high is None:
        return format(quantity.value, digits)
    return f"{quantity.value:{digits}} [{quantity.low:{digits}}, {quantity.high:{digits}}]"
