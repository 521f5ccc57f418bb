"""``runner diagnose [key=value ...]``: says which part of a pipeline takes the time: fetching, preparing, handing over or the consumer.

One configuration is measured whole, with the bytes of all images in memory, and with results that are ready, in turn; with a consumer also
without it, and each step of the task by itself. Then it says what could be done, with the words to try it; --try measures these too.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from runner.commands.one_configuration import check_of_one
from runner.display.console import console, print_line, print_recorded
from runner.sweeps import exit_status
from runner.sweeps.hydra_run import refuse_words

if TYPE_CHECKING:  # what a refusal does not need is loaded after it
    from runner.analysis.stalls import Diagnosis, Estimate
    from runner.sweeps.diagnosing import Diagnosed

_DONE_BY = {
    "fetch": "reading the bytes of images",
    "preparation": "the task",
    "hand-over": "handing results over",
    "consumer": "the consumer is busy",
}
_MEANINGS = {
    "everything": "everything",
    "bytes in memory": "with all bytes in memory",
    "results ready": "with results ready",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the configuration, as for a run")
    parser.add_argument(
        "--try", dest="try_out", action="store_true", help="measure what is proposed, against the configuration as it is"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit status."""
    for word in arguments.overrides:
        check_of_one(word, "a diagnosis")
    refuse_words(arguments.overrides)
    from runner.sweeps.diagnosing import diagnose, try_out

    diagnosed = diagnose(arguments.overrides)
    _print(diagnosed, tried=arguments.try_out)
    if arguments.try_out and diagnosed.proposed and exit_status.current() == exit_status.OK:
        try_out(diagnosed, arguments.overrides)
    return exit_status.current()


def _print(diagnosed: Diagnosed, *, tried: bool) -> None:
    """Print the parts, the sentence that says which takes most, and the proposals, which are measured next where they are ``tried``."""
    found = diagnosed.found
    if found is None:
        print_line("Where the time goes is not known: one of the parts has no trial that succeeded.")
        print_recorded(diagnosed.folder)
        return
    console().print(_table(found))
    if found.steps:
        print_line("Of the preparation: " + ", ".join(f"{name} {share * 100:.0f} %" for name, share in found.steps.items()))
    rates = ", ".join(f"{_MEANINGS[name]} {rate:.0f}" for name, rate in found.alone.items())
    print_line(f"Images a second{' without the consumer' if found.busy_s is not None else ''}: {rates}")
    if diagnosed.cpus_needed is not None:
        print_line(f"To feed the consumer without a wait takes the time of {diagnosed.cpus_needed:.1f} CPUs like these.")
    print_line(_sentence(found))
    if diagnosed.proposed:
        how = "Each of these against the configuration as it is:" if tried else "To try (--try measures them):"
        print_line(how)
        for one in diagnosed.proposed:
            print_line(f"  {' '.join(one.words)}: {one.reason} ({one.part}, {one.share * 100:.0f} %)")
    print_recorded(diagnosed.folder)


def _table(found: Diagnosis) -> Table:
    table = Table(title="Where the time of an image goes", title_justify="left")
    for title in ("part", "ms an image", "share", "what it is"):
        table.add_column(title, justify="right" if title in {"ms an image", "share"} else "left")
    for part in found.parts:
        table.add_row(part.name, escape(_ms(part.seconds)), f"{part.share * 100:.0f} %", _DONE_BY[part.name])
    table.add_row("everything", escape(_ms(found.whole_s)), "", "")
    return table


def _ms(estimate: Estimate) -> str:
    value, low, high = (one * 1e3 for one in (estimate.value, estimate.low, estimate.high))
    if not math.isfinite(low):
        return f"{value:.3f}"
    return f"{value:.3f}" if low == high else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _sentence(found: Diagnosis) -> str:
    largest = found.largest
    if not found.has_a_stall:
        return "No stall: the consumer hardly waits."
    if largest is None:
        return "No part stands out from the noise; more rounds (protocol.rounds=10) would say more."
    what = f"{largest.name} takes most: {largest.share * 100:.0f} % of the time of an image"
    if found.busy_s is None:
        return f"{what[0].upper()}{what[1:]}."
    return f"The consumer waits. {what[0].upper()}{what[1:]}."
