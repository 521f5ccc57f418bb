"""``runner plan FOLDER --accelerator h100_resnet50 --count 8``: what it takes to feed accelerators, on paper."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from runner.analysis.accelerators import Accelerators, FeedingPlan
from runner.analysis.capacity import Range
from runner.config.options import Emulated, StepTime
from runner.config.registry import options
from runner.display.console import console
from runner.errors import RunnerError
from runner.record.reading import PointRecord


def accelerators_of(name: str, count: int) -> Accelerators:
    """Accelerators by the name of their consumer.

    Raises:
        RunnerError: there is none of this name, or no such number of them.
    """
    kinds = {
        known: kind for known, kind in options()["consumer"].items() if issubclass(kind, Emulated) and kind is not Emulated
    }
    if name not in kinds:
        raise RunnerError(f"--accelerator={name}: there is no such accelerator\n  accepted: one of {', '.join(kinds)}")
    if count < 1:
        raise RunnerError(f"--count={count}: is out of range\n  accepted: an integer of 1 or more")
    option = kinds[name]()
    return Accelerators(name, count, option.batch / StepTime.of(option.step_s).mean_s)


def print_feeding(point: PointRecord, accelerators: Accelerators, plan: FeedingPlan) -> None:
    """Print what feeds them, and what that assumes."""
    out = console()
    table = Table(
        title=f"{accelerators.count} x {accelerators.name} fed by {escape(point.label)}, on paper", title_justify="left"
    )
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("images/s that they take", f"{plan.needed_images_per_s:,.0f}")
    table.add_row("images/s of a machine", _shown(plan.machine_images_per_s, ",.1f"))
    table.add_row("machines", _shown(plan.machines, ",.0f"))
    table.add_row("CPUs that are busy", f"{plan.cpus:,.0f}")
    out.print(table)
    environment, cpus = point.record["environment"], max(trial["cpus_usable"] for trial in point.record["trials"])
    for line in (
        f"an accelerator takes {accelerators.images_per_s:,.0f} images/s: the batch ÷ the step of consumer={accelerators.name}, whose file names its source",
        f"machines are like the measured one ({environment['cpu']}, {cpus:g} CPUs), the images like the measured ones, and their source keeps up",
        "nothing is lost between machines and accelerators",
    ):
        out.print(f"  - {line}", markup=False, soft_wrap=True)


def _shown(quantity: Range, digits: str) -> str:
    if quantity.low is None or quantity.high is None:
        return format(quantity.value, digits)
    return f"{quantity.value:{digits}} [{quantity.low:{digits}}, {quantity.high:{digits}}]"
