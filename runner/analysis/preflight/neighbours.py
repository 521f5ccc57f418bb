"""What else runs on the machine."""

from __future__ import annotations

from runner.analysis.preflight.outcome import Outcome, fine, found, unknown
from runner.analysis.warnings.machine import OTHER_LOAD_PCT, STOLEN_PCT
from runner.host.load import HostLoad


def other_load(load: HostLoad) -> Outcome:
    """What other programs use of the CPUs."""
    used = load["other_cpu_pct"]
    if used is None:
        return unknown("the system does not say what other programs use of the CPUs")
    if used < OTHER_LOAD_PCT:
        return fine(f"other programs use {used:.0f} % of the CPUs")
    return found(f"other programs use {used:.0f} % of the host's CPUs", "end what else runs")


def steal(load: HostLoad) -> Outcome:
    """What other virtual machines take of the CPUs."""
    stolen = load["stolen_pct"]
    if stolen is None:
        return unknown("the system does not say what neighbours on the same hardware take of the CPUs (steal)")
    if stolen < STOLEN_PCT:
        return fine(f"{stolen:.0f} % of the CPUs' time is stolen by neighbours on the same hardware")
    return found(
        f"{stolen:.0f} % of the CPUs' time is stolen by neighbours on the same hardware",
        "a machine of your own, another hour, or more rounds",
    )
