"""``runner recommend FOLDER``: which point of a sweep to take, by throughput, latency, memory and cost.

For each criterion the cheapest point that is proven to be as good as the best is named. It is printed as words for a command line;
--preset writes it as a YAML preset.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from runner.analysis.recommendation import Recommendation, code_left_out, recommended, words_for
from runner.analysis.scaling import law_text, laws
from runner.config.metrics import CRITERIA
from runner.config.preset_schema import SCHEMA_LINE, SCHEMA_NAME, preset_schema_text
from runner.config.registry import EXPERIMENT, PRESET_NAME, conf_dir, plugin_folders
from runner.disk import make_folder, write_atomically
from runner.display.console import command_line, console, print_line, short
from runner.display.words import with_interval
from runner.errors import ConfigurationError, RunnerError
from runner.outside import in_one_line
from runner.record.metric_schema import MetricName
from runner.record.per_cent import pct_text
from runner.record.reading import SweepRecord, read_sweep

_FIGURES: Sequence[MetricName] = ("images_per_s", "latency_p95_ms", "peak_memory_mb", "cpu_s_per_image")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument(
        "--by",
        choices=tuple(CRITERIA),
        default="throughput",
        help="what matters most; decides the printed words and the preset",
    )
    parser.add_argument(
        "--preset",
        type=Path,
        metavar="FILE",
        help="write the recommended point as a YAML preset, and beside it its JSON Schema",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recommendations."""
    sweep = read_sweep(arguments.folder)
    choices = recommendations(sweep)
    chosen = next(one for one in choices if one.criterion == arguments.by)
    if arguments.preset is not None:
        write_preset(chosen, arguments.preset)
    _print(choices, chosen)
    for name, law in laws(sweep.measured).items():
        print_line(law_text(name, law))
    if arguments.preset is not None:
        print_line(f"Written: {arguments.preset}")
        print_line(f"To run it: {command_line(*words_that_find(arguments.preset))}{_where_else(arguments.preset)}")
    return 0


def recommendations(sweep: SweepRecord) -> list[Recommendation]:
    """One recommendation for each criterion.

    Raises:
        RunnerError: no point of the sweep went well.
    """
    raced = bool(sweep.record.get("race"))
    choices = [one for criterion in CRITERIA if (one := recommended(sweep.measured, criterion, raced=raced)) is not None]
    if not choices:
        raise RunnerError(f"{sweep.folder}: no point of this sweep went well")
    return choices


def write_preset(recommendation: Recommendation, path: Path) -> None:
    """Write a preset for ``conf/experiment/``, and beside it the schema by which an editor checks it; a comment at its head has the figures of
    the point.

    Raises:
        RunnerError: the file is there already, cannot be written, or has a name that cannot be chosen.
    """
    if path.suffix != ".yaml" or not re.fullmatch(PRESET_NAME, path.stem, re.ASCII):
        raise ConfigurationError(
            "--preset",
            in_one_line(str(path)),
            "is no name for a preset",
            "letters, digits, _, - and . in the file's name, and .yaml",
        )
    if path.exists():
        raise RunnerError(f"{path}: is there already; name another file, or remove it")
    lines = _preset(recommendation, path)
    try:
        make_folder(path.parent)
        write_atomically(path, lambda file: print("\n".join(lines), file=file))
        _write_schema(path.parent / SCHEMA_NAME)
    except OSError as error:
        raise RunnerError(f"{path}: cannot be written: {error.strerror}") from error


def _write_schema(path: Path) -> None:
    """Put the schema that the preset names beside it; that of the program's own presets lies there already."""
    if path.parent.resolve() != (conf_dir() / EXPERIMENT).resolve():
        text = preset_schema_text()
        write_atomically(path, lambda file: print(text, end="", file=file))


def words_that_find(path: Path) -> list[str]:
    """The words of a command line, in this folder, that choose the preset in a file."""
    words, group = [f"{EXPERIMENT}={path.stem}"], path.absolute().parent
    if group.name != EXPERIMENT or group.parent in {Path("conf").absolute(), conf_dir(), *plugin_folders()}:
        return words
    return ["--config-dir", short(group.parent), *words]


def _where_else(path: Path) -> str:
    return "" if path.absolute().parent.name == EXPERIMENT else f", once it is in {Path('conf', EXPERIMENT, path.name)}"


def _preset(recommendation: Recommendation, path: Path) -> list[str]:
    """The lines of the preset in this file."""
    config: Mapping[str, Any] = recommendation.point.record["config"]
    options: list[dict[str, str]] = []
    values: dict[str, Any] = {}
    for word in words_for(recommendation):
        key, _, value = word.partition("=")
        group, dot, field = key.partition(".")
        if dot:
            values.setdefault(group, {})[field] = config[group][field]
        elif isinstance(config.get(key), dict):
            options.append({f"override /{key}": value})
        else:
            values[key] = config[key]
    lines = [
        "# @package _global_",
        SCHEMA_LINE,
        f"# python -m runner {in_one_line(shlex.join(words_that_find(path)))}{_where_else(path)}",
        "#",
        f"# {in_one_line(recommendation.point.label)}, recommended by {recommendation.criterion}: {_figures(recommendation)}",
        *(f"# {_not_passed_on(key)}" for key in code_left_out(recommendation)),
        _yaml({"defaults": options}),
    ]
    return [*lines, _yaml(values)] if values else lines


def _yaml(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def _not_passed_on(key: str) -> str:
    return f"{key} is code that the record names, which is not passed on: name it yourself"


def _figures(recommendation: Recommendation) -> str:
    metrics = recommendation.point.record["metrics"]
    return (
        f"{with_interval(metrics['images_per_s'])} images/s, p95 {with_interval(metrics['latency_p95_ms'])} ms, "
        f"{with_interval(metrics['peak_memory_mb'])} MB, {with_interval(metrics['cpu_s_per_image'])} CPU s an image"
    )


def _print(choices: Sequence[Recommendation], chosen: Recommendation) -> None:
    out = console()
    table = Table(title="What to take, by what matters", title_justify="left")
    for name in (
        "",
        "take",
        "images/s",
        "p95 ms",
        "memory MB",
        "CPU s an image",
        "leads",
        "nothing better by more than",
        "as good",
    ):
        table.add_column(name)
    for one in choices:
        medians = [one.point.record["metrics"][name]["value"] for name in _FIGURES]
        figures = ["-" if value is None else f"{value:.4g}" for value in medians]
        as_good = f"{one.as_good} of {one.considered}"
        bound = "unknown" if one.bound_pct is None else pct_text(one.bound_pct)
        table.add_row(one.criterion, escape(one.point.label), *figures, escape(one.best.label), bound, as_good)
    out.print(table)
    out.print(f"To run it ({chosen.criterion}): {shlex.join(words_for(chosen))}", markup=False, soft_wrap=True)
    for key in code_left_out(chosen):
        out.print(_not_passed_on(key), style="yellow", markup=False)
    if not chosen.proven:
        note = (
            f"No point is proven to be within {chosen.within_pct:g} % of the best by {chosen.criterion}, so the "
            "point with the best proven bound is named. More rounds would say more."
        )
        out.print(note, style="yellow")
