"""The note on an MLflow run, in a few lines of Markdown: what was run, the results, and how to run it again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.display.front import front_text
from runner.display.ranking import SHOWN, against_baseline, rows
from runner.display.words import cut_short_text, metric_name, ratio_text, self_check_text, verdict_text, with_interval
from runner.record.point_schema import ResultJson
from runner.record.reading import was_cut_short, workers_of
from runner.record.sweep_schema import ComparisonRecord, SweepJson


@dataclass(frozen=True)
class LeftOut:
    """The rows of a point's images that are not among the run's artifacts.

    Attributes:
        path: the file or folder with the rows.
        size_mb: their size in 10^6 bytes.
        limit_mb: the largest size that ``tracking.max_artifact_mb`` allows.
    """

    path: Path
    size_mb: float
    limit_mb: float


def point_note(record: ResultJson, verdicts: Sequence[ComparisonRecord], folder: Path, left_out: LeftOut | None = None) -> str:
    """The note on a point; ``verdicts`` are its comparisons with the sweep's baseline."""
    config, trials = record["config"], record["trials"]
    threads = f"TensorFlow {config['tf']['intra_op']}/{config['tf']['inter_op']}"
    lines = [
        (
            f"**{_kind(record)}**, {threads}, {config['images']} images of source `{config['source']['name']}`, "
            f"task `{config['task']['name']}`, sink `{config['sink']['name']}`; "
            f"{len(trials)} trial{'' if len(trials) == 1 else 's'} of {config['protocol']['epochs']} timed epochs."
        ),
        "",
    ]
    if record["error"] is not None:
        lines += [f"**{record['status']}**: {record['error']['type']}: {record['error']['message']}", ""]
    if was_cut_short(record):
        lines += [f"**{cut_short_text(record)}**", ""]
    if record["metrics"]:
        metrics = record["metrics"]
        shown = [
            f"{with_interval(metrics['images_per_s'])} images/s",
            f"ready in {with_interval(metrics['startup_s'])} s",
            f"{with_interval(metrics['cpu_s_per_image'])} CPU s an image",
            f"{with_interval(metrics['peak_memory_mb'])} MB",
        ]
        lines += [", ".join(shown) + ".", ""]
    if verdicts:
        lines += [f"Against `{verdicts[0]['baseline']}`:", ""]
        lines += [
            f"- {metric_name(comparison['metric'])}: {ratio_text(comparison)}, {verdict_text(comparison)}"
            for comparison in verdicts
        ]
        lines += [""]
    lines += [f"- {warning['message']}; {warning['advice']}" for warning in record["warnings"]]
    if left_out is not None:
        size = f"{left_out.size_mb:.1f} MB, more than `tracking.max_artifact_mb={left_out.limit_mb:g}`"
        where = f"on {record['environment']['host']} they are in `{left_out.path}`"
        lines += ["", f"The rows of its images are not among the artifacts ({size}): {where}."]
    return "\n".join([*lines, "", *_how_to_repeat(folder, record["command"])]).strip()


def sweep_note(sweep: SweepJson, folder: Path) -> str:
    """The note on the parent run of a sweep."""
    answer = sweep.get("answer")
    lines = [f"**{answer['text']}**" if answer is not None else "No answer: the sweep did not finish.", ""]
    if against := against_baseline(sweep):
        lines += [against, ""]
    if together := front_text(sweep):
        lines += [together, ""]
    lines += [f"{len(sweep['points'])} points, the best first, at most {SHOWN} of them:", ""]
    lines += [f"- `{name}`: {value}, at most {bound} below the best, {state}" for name, value, bound, state in _ranked(sweep)]
    if sweep["self_check"]:
        lines += ["", self_check_text(sweep["self_check"], trusted=sweep["trusted"]).capitalize() + "."]
    lines += [f"- **{warning['kind']}**: {warning['message']}; {warning['advice']}" for warning in sweep["warnings"]]
    return "\n".join([*lines, "", *_how_to_repeat(folder, sweep["command"])]).strip()


def _ranked(sweep: SweepJson) -> list[tuple[str, str, str, str]]:
    return [(cells[0], cells[1], cells[2], cells[-1]) for cells in rows(sweep)[:SHOWN]]


def _kind(record: ResultJson) -> str:
    mode = record["config"]["mode"]
    each = mode.get("threads_per_worker", 1)
    return f"{mode['name']} × {workers_of(record)}" + (f" × {each} threads" if each > 1 else "")


def _how_to_repeat(folder: Path, command: str) -> list[str]:
    again = shlex.join([Path(sys.executable).name, "-m", "runner", "rerun", str(folder)])
    return [
        "Run it again, and see whether the results agree:",
        "",
        f"    {again}",
        "",
        "The command that ran it:",
        "",
        f"    {command}",
    ]
