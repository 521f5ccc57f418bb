"""``images=auto``: how many images an epoch has, found once for all points of a sweep by a look at the likely fastest ones.

A trial of few images is run for each mode, with the number of workers that is nearest to the CPUs that may be used: those are the likely fastest. The fastest of
them is run once more, or twice, with as many images as would fill a quarter of the wanted time, since a short epoch is slower than a long one. The number
is what it would do in ``protocol.epoch_s``, in two digits, and no less than any point has workers. These trials are on no record, and nothing is sent to a
sink. Where all of them fail, the trials to come will say why, and ``FIRST_LOOK`` images are enough for that.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from runner.config.options import NoSink, Skip
from runner.config.options.root import AUTO, FIRST_LOOK
from runner.config.plain import plain
from runner.disk import remove_spool
from runner.errors import RunnerError, TrialError
from runner.pipeline.servers.serving import serving
from runner.pipeline.sources import images_of, images_there
from runner.record.reading import SWEEP, read_sweep_json
from runner.sweeps.point import Point
from runner.trial.supervisor import Supervisor

# Where another launcher runs the points, on machines that cannot be looked at from here.
ELSEWHERE = 60

# The share of the wanted time that the last look should take at least, and how often it is tried.
_ENOUGH, _LOOKS = 0.25, 3


def settled_images(points: Sequence[Point], supervisor: Supervisor, tell: Callable[[str], None]) -> int | None:
    """Find the number where one has to be found, and give it to all points that have none; None where no point has to.

    Args:
        points: of one sweep.
        supervisor: starts the trials.
        tell: is given what failed.
    """
    if all(point.config.images != AUTO for point in points):
        return None
    number = _found([point for point in points if point.config.images == AUTO], supervisor, tell)
    settle(points, number)
    for source in {json.dumps(plain(point.config.source), sort_keys=True): point.config.source for point in points}.values():
        if (there := images_there(source)) is not None and there > number:
            tell(
                f"Note: an epoch takes the first {number} of the {there} images of source={source.name}; images={there} takes all"
            )
    return number


def settle_alone(point: Point, supervisor: Supervisor, tell: Callable[[str], None]) -> None:
    """The same for a point by itself, whose own record has the number."""
    settled_images([point], supervisor, tell)


def settle_as_recorded(points: Sequence[Point], folder: Path) -> None:
    """Give the points of a sweep that is resumed the number that was found when it was begun."""
    with contextlib.suppress(RunnerError):  # it did not come as far
        if (number := read_sweep_json(folder / SWEEP).get("images_per_epoch")) is not None:
            settle(points, number)


def settle(points: Sequence[Point], number: int) -> None:
    """Give the number to the points that have none."""
    for point in points:
        if point.config.images == AUTO:
            point.config.images = number
            point.images = images_of(point.config.source, number)


def _found(points: Sequence[Point], supervisor: Supervisor, tell: Callable[[str], None]) -> int:
    wanted_s = points[0].config.protocol.epoch_s
    rates = {number: images_a_second(point, FIRST_LOOK, supervisor, tell) for number, point in enumerate(_likely(points))}
    fastest = max(rates, key=lambda number: rates[number])
    point, rate, images = _likely(points)[fastest], rates[fastest], FIRST_LOOK
    for _ in range(_LOOKS - 1):
        if not rate or images / rate >= _ENOUGH * wanted_s:
            break
        images = math.ceil(_ENOUGH * wanted_s * rate * 1.5)
        rate = images_a_second(point, images, supervisor, tell)
    workers = max(one.config.mode.effective_workers(one.config.workers) for one in points)
    return max(_two_digits(rate * wanted_s) if rate else FIRST_LOOK, workers)


def _likely(points: Sequence[Point]) -> list[Point]:
    """Of each mode the point whose workers are nearest to the CPUs; one on a cluster only where all are, since to join one takes long."""
    points = [
        point for point in points if point.config.skip is Skip.none
    ] or points  # without a stage an epoch would be of no use to the others
    here = [point for point in points if not point.config.mode.joins_cluster] or points
    by_mode: dict[str, Point] = {}
    for point in sorted(here, key=lambda point: abs(math.log(point.config.workers / point.cpus_usable))):
        by_mode.setdefault(point.config.mode.name, point)
    return list(by_mode.values())


def images_a_second(point: Point, images: int, supervisor: Supervisor, tell: Callable[[str], None]) -> float:
    """How many images a second one epoch of so many images does in a trial that is on no record; 0 where it failed."""
    config = replace(copy.deepcopy(point.config), images=images, sink=NoSink())
    look = replace(point, config=config, images=images_of(config.source, images), trials=[], series=[])
    try:
        with serving(config, look.images, look.folder, look.id) as served:
            plan = replace(look.trial_plan(served), epochs=1, warmup_epochs=1, gil_probe=False)
            outcome = supervisor.execute(plan, config.protocol.timeout_s, lambda _event: None)
    except TrialError as error:
        tell(f"images=auto: {point.label}: {error}")
        return 0.0
    finally:
        remove_spool(look.spool)
    if outcome.report is None:
        return 0.0
    epoch = outcome.report.epochs[-1]
    return images / max(1e-9, (epoch.finished_ns - epoch.released_ns) * 1e-9)


def _two_digits(value: float) -> int:
    """Rounded up to two digits, so that a number is one that a person would have taken."""
    step = int(10 ** max(0, math.floor(math.log10(max(1.0, value))) - 1))
    return math.ceil(value / step) * step
