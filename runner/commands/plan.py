"""``runner plan FOLDER --images 1e9``: from a measured sweep to machines, hours and money, on paper.

Every figure follows from one measured throughput and from the assumptions that are printed with it. None of them is a measurement.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from runner.analysis.accelerators import feeding_plan
from runner.analysis.capacity import KEPT, MACHINES_DIFFER, Capacity, Job, Range, capacity
from runner.analysis.recommendation import recommended
from runner.commands.plan_feeding import accelerators_of, print_feeding
from runner.display.console import console
from runner.errors import RunnerError
from runner.record.reading import PointRecord, read_sweep

_UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument("--images", help="how many images, such as 1e9")
    parser.add_argument(
        "--accelerator", metavar="NAME", help="what it takes to feed accelerators of this kind: h100_resnet50, a100_resnet50"
    )
    parser.add_argument("--count", type=int, default=1, help="how many accelerators; %(default)s by default")
    parser.add_argument("--deadline", help="when all must be done, such as 24h, 90min or 3d")
    parser.add_argument("--price-per-cpu-hour", type=float, help="in whatever currency")
    parser.add_argument(
        "--machines-differ",
        type=float,
        default=MACHINES_DIFFER * 100,
        metavar="PER_CENT",
        help="by how much machines of this kind differ in speed, as a standard deviation in per cent; %(default)g by default",
    )
    parser.add_argument("--point", help="the name of the point; by default the point recommended by throughput")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    if arguments.images is None and arguments.accelerator is None:
        raise RunnerError("--images: must be given\n  accepted: a number of images such as 1e9; or --accelerator=NAME")
    if arguments.accelerator is not None:
        point, chosen_from = _chosen(arguments.folder, arguments.point)
        accelerators = accelerators_of(arguments.accelerator, arguments.count)
        print_feeding(point, accelerators, feeding_plan(point.record, accelerators, chosen_from))
    if arguments.images is None:
        return 0
    images = _positive("--images", arguments.images)
    deadline_s = None if arguments.deadline is None else duration_s(arguments.deadline)
    price = _price(arguments.price_per_cpu_hour)
    point, chosen_from = _chosen(arguments.folder, arguments.point)
    job = Job(images, deadline_s, price, _differ(arguments.machines_differ), chosen_from)
    _print(point, job, capacity(point.record, job))
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


def _chosen(folder: Path, name: str | None) -> tuple[PointRecord, int]:
    """The point, and the number of points from which its throughput chose it."""
    sweep = read_sweep(folder)
    if name is not None:
        for point in sweep.measured:
            if point.label == name:
                return point, 1
        raise RunnerError(
            f"--point={name}: there is no such point\n  accepted: {', '.join(point.label for point in sweep.measured)}"
        )
    fastest = recommended(sweep.measured, "throughput", raced=bool(sweep.record.get("race")))
    if fastest is None:
        raise RunnerError(f"{folder}: no point of this sweep went well")
    return fastest.point, fastest.considered


def _price(price: float | None) -> float | None:
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise RunnerError(f"--price-per-cpu-hour={price}: is no price; accepted: a number of 0 or more")
    return price


def _differ(per_cent: float) -> float:
    if not (math.isfinite(per_cent) and 0 <= per_cent <= 100):
        raise RunnerError(f"--machines-differ={per_cent:g}: is out of range\n  accepted: per cent, from 0 to 100")
    return per_cent / 100


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value >= 1):
        raise RunnerError(f"{name}={text}: is no number of images; accepted: a number of 1 or more, such as 1e9")
    return value


def _print(point: PointRecord, job: Job, plan: Capacity) -> None:
    out = console()
    table = Table(title=f"{job.images:,.0f} images with {escape(point.label)}, on paper", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    if plan.machines is not None:
        table.add_row("machines", str(plan.machines))
    rows = [
        ("machine-hours", plan.machine_hours, ".1f"),
        ("hours until done", plan.hours, ".2f"),
        ("price", plan.money, ",.2f"),
    ]
    for title, quantity, digits in rows:
        if quantity is not None:
            table.add_row(title, _shown(quantity, digits))
    out.print(table)
    out.print("It assumes:")
    for line in _assumptions(point, job, plan):
        out.print(f"  - {line}", markup=False, soft_wrap=True)


def _assumptions(point: PointRecord, job: Job, plan: Capacity) -> Iterator[str]:
    environment, cpus = point.record["environment"], max(trial["cpus_usable"] for trial in point.record["trials"])
    yield (
        f"machines are like the measured one ({environment['cpu']}, {cpus:g} CPUs), do {_shown(plan.images_per_s, '.1f')} images/s on average, "
        f"and differ by {job.machines_differ * 100:g} % (one standard deviation; --machines-differ)"
    )
    yield "the images are like the measured ones, and arrive as quickly however many machines ask for them"
    yield "the work divides evenly, no machine slows another down or fails, and each starts once"
    yield "machines are there at once, and throughput over hours is that of the seconds that were measured"
    if job.price is not None:
        yield f"an hour of a CPU costs {job.price:g}, for all {cpus:g} CPUs of a machine as long as it runs; nothing else costs"
    if job.deadline_s is not None:
        sure = (
            "the mean as measured, since one trial has no interval" if plan.hours.high is None else f"with {KEPT * 100:.0f} %"
        )
        yield f"all machines are done within {job.deadline_s / 3600:g} h of the start: {sure}"
    if job.chosen_from > 1:
        yield f"the point was chosen as the best of {job.chosen_from}, which the intervals take into account"


def _shown(quantity: Range, digits: str) -> str:
    if quantity.low is None or quantity.high is None:
        return format(quantity.value, digits)
    return f"{quantity.value:{digits}} [{quantity.low:{digits}}, {quantity.high:{digits}}]"
