"""``runner plan FOLDER --images 1e9``: from a measured sweep to machines, hours and money, on paper.

Everything is a consequence of one measured throughput and of the assumptions that are printed with it. Nothing here is a
measurement.
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
    parser.add_argument("--images", required=True, help="how many, such as 1e9")
    parser.add_argument("--deadline", help="such as 24h, 90min or 3d")
    parser.add_argument("--price-per-cpu-hour", type=float, help="in whatever currency")
    parser.add_argument("--point", help="its name; by default the one that is recommended by throughput")


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
        RunnerError: it is none.
    """
    match = re.fullmatch(r"([0-9.]+)\s*(s|m|min|h|d)", text.strip())
    try:
        seconds = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise RunnerError(f"--deadline={text}: is no time; accepted: a number and its unit: s, min, h or d, such as 24h")
    return seconds


def _chosen(folder: Path, name: str | None) -> PointRecord:
    sweep = read_sweep(folder)
    if name is not None:
        for point in sweep.measured:
            if point.label == name:
                return point
        raise RunnerError(f"--point={name}: is none of {', '.join(point.label for point in sweep.measured)}")
    fastest = recommended(sweep.measured, "throughput", raced=bool(sweep.record.get("race")))
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
    environment = point.record["environment"]
    rate = point.record["metrics"]["images_per_s"]
    cpus = max(trial["cpus_usable"] for trial in point.record["trials"])
    assumptions = [
        f"every machine is like the measured one ({environment['cpu']}, {cpus:g} CPUs) and does {rate['value']:.1f} images/s",
        "images like the measured ones, and as quickly to be had, however many machines ask for them",
        "the work divides evenly, machines do not hinder each other, none fails, and each starts once",
        "no time for getting machines, and throughput over hours as over the seconds that were measured",
    ]
    if price is not None:
        assumptions.append(
            f"{price:g} for an hour of a CPU, all {cpus:g} of a machine paid as long as it runs, nothing else paid for"
        )
    if deadline_s is not None:
        assumptions.append(f"done within {deadline_s / 3600:g} h of the start")
    if rate["low"] is None:
        assumptions.append("no interval: it takes six rounds of the sweep, as protocol=standard has them")
    out.print("It assumes:")
    for line in assumptions:
        out.print(f"  - {line}", markup=False, soft_wrap=True)


def _shown(quantity: Range, digits: str) -> str:
    if quantity.low is None or quantity.high is None:
        return format(quantity.value, digits)
    return f"{quantity.value:{digits}} [{quantity.low:{digits}}, {quantity.high:{digits}}]"
