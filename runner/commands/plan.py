"""``runner plan FOLDER --images 1e9``: from a measured sweep to machines, hours and money, on paper.

Everything is a consequence of one measured throughput and of the assumptions that are printed with it. Nothing here is a
measurement.
"""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from runner.analysis.recommendation import recommended
from runner.display.console import console
from runner.errors import RunnerError
from runner.record.point_schema import ResultJson
from runner.record.reading import PointRecord, read_sweep

_UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Range:
    """A figure with what it is at the ends of the throughput's 95 % interval; None where there is no interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Plan:
    """What a number of images takes.

    Attributes:
        machine_hours: of machines like the measured one.
        machines: to be done by the deadline; None without one.
        hours: with so many machines, or with one.
        money: in the price's currency; None without a price.
    """

    machine_hours: Range
    machines: Range | None
    hours: Range
    money: Range | None


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
    _print(point, images, planned(point.record, images, deadline_s, price), deadline_s, price)
    return 0


def duration_s(text: str) -> float:
    """``24h``, ``90min``, ``3d`` as seconds.

    Raises:
        RunnerError: it is none.
    """
    found = re.fullmatch(r"([0-9.]+)\s*(s|m|min|h|d)", text.strip())
    try:
        seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise RunnerError(f"--deadline={text}: is no time; accepted: a number and its unit: s, min, h or d, such as 24h")
    return seconds


def planned(record: ResultJson, images: float, deadline_s: float | None, price: float | None) -> Plan:
    """The plan for a point's record.

    Each machine pays its own start once: import, start-up and teardown as measured.

    Raises:
        RunnerError: the point has no throughput, or not even the start fits before the deadline.
    """
    rate = record["metrics"].get("images_per_s")
    if rate is None or not rate["value"]:
        raise RunnerError("this point has no throughput: no trial of it went well")
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]
    once_s = max((trial["preload_s"] or 0.0) + trial["import_s"] + trial["startup_s"] + trial["teardown_s"] for trial in good)
    cpus = max(trial["cpus_usable"] for trial in good)
    if deadline_s is not None and deadline_s <= once_s:
        raise RunnerError(f"--deadline: the start alone takes {once_s:.1f} s")

    def of(images_per_s: float) -> tuple[float, int | None, float, float | None]:
        work_s = images / images_per_s
        machines = None if deadline_s is None else math.ceil(work_s / (deadline_s - once_s))
        each_s = once_s + work_s / (machines or 1)
        machine_hours = each_s * (machines or 1) / 3600
        return machine_hours, machines, each_s / 3600, None if price is None else machine_hours * cpus * price

    middle = of(rate["value"])
    ends = None if rate["low"] is None or rate["high"] is None else (of(rate["high"]), of(rate["low"]))

    def figure(place: int) -> Range:
        value: Any = middle[place]
        if ends is None:
            return Range(value, None, None)
        # Whole machines: the figure itself may lie outside of what the two ends come to.
        every: list[Any] = [value, *(end[place] for end in ends)]
        return Range(value, min(every), max(every))

    return Plan(
        machine_hours=figure(0),
        machines=None if deadline_s is None else figure(1),
        hours=figure(2),
        money=None if price is None else figure(3),
    )


def _chosen(folder: Path, name: str | None) -> PointRecord:
    sweep = read_sweep(folder)
    if name is not None:
        for point in sweep.measured:
            if point.label == name:
                return point
        raise RunnerError(f"--point={name}: is none of {', '.join(point.label for point in sweep.measured)}")
    found = recommended(sweep.measured, "throughput")
    if found is None:
        raise RunnerError(f"{folder}: no point of this sweep went well")
    return found.point


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


def _print(point: PointRecord, images: float, plan: Plan, deadline_s: float | None, price: float | None) -> None:
    out = console()
    table = Table(title=f"{images:,.0f} images with {escape(point.label)}, on paper", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    rows = [
        ("machine-hours", plan.machine_hours, ".1f"),
        ("machines", plan.machines, ".0f"),
        ("hours until done", plan.hours, ".2f"),
    ]
    for title, found, digits in [*rows, ("price", plan.money, ",.2f")]:
        if found is not None:
            table.add_row(title, _shown(found, digits))
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


def _shown(found: Range, digits: str) -> str:
    if found.low is None or found.high is None:
        return format(found.value, digits)
    return f"{found.value:{digits}} [{found.low:{digits}}, {found.high:{digits}}]"
