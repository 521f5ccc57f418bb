"""Refuses points of a command line before Hydra is loaded, which takes longer than all the checks."""

from __future__ import annotations

from collections.abc import Sequence

from runner.config.direct import configurations
from runner.config.options import Config
from runner.config.recorded_words import names_own_code
from runner.config.rules import check_rules
from runner.safe_path import take_code_of_the_current_folder
from runner.sweeps.checking import checked
from runner.sweeps.labels import no_such_point


def refuse_points(words: Sequence[str]) -> None:
    """Check the points that the words of a command line describe, where no word means more than itself.

    Raises:
        ConfigurationError: a point cannot be run, or there is no such baseline.
    """
    if names_own_code(words):
        take_code_of_the_current_folder()
    configs = configurations(words) or []
    for config in configs:
        check_rules(config)
        checked(config)
    _refuse_baseline(configs)


def _refuse_baseline(configs: Sequence[Config]) -> None:
    """Refuse a baseline that is the name or the number of no point. Points of one name get longer labels later, and are left alone here."""
    wanted = configs[0].baseline if configs else None
    names = [config.mode.label(config.workers) for config in configs]
    if wanted is not None and len(set(names)) == len(names) > 1 and wanted not in {*names, *map(str, range(len(names)))}:
        raise no_such_point(wanted, names)
