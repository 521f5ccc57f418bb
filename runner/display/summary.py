"""What the user sees at the end of a point and of a repetition; on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from runner.display.console import console, print_error, print_recorded, short
from runner.display.words import metric_name, ratio_text, verdict_text, with_interval
from runner.host.environment import Difference
from runner.host.gpu import Gpus
from runner.monitor.sampler import Sample
from runner.record.metric_schema import MetricName
from runner.record.point_schema import ResultJson
from runner.record.reading import name_of
from runner.record.stages import slowest_stage
from runner.record.sweep_schema import AgreementRecord, ComparisonRecord, RepeatedPoint
from runner.record.trial_schema import ThreadSettings


def print_point(record: ResultJson, folder: Path, samples: Sequence[Sample], gpus: Gpus, idle_cpu_pct: float | None) -> None:
    """Print a point: the block that the first notebook printed, and below it how the time was spent.

    Args:
        record: the content of its ``result.json``.
        folder: of the record.
        samples: of its last trial.
        gpus: of this machine.
        idle_cpu_pct: the CPU usage of the host before the first trial.
    """
    out = console()
    metrics, config = record["metrics"], record["config"]
    trials = [trial for trial in record["trials"] if trial["status"] == "ok"]
    if not trials:
        _print_failure(record, folder)
        return
    per_epoch_s = sorted(trial["work_s"] / len(trial["epochs"]) for trial in trials if trial["epochs"])
    out.print(f"[bold]Time taken: {per_epoch_s[len(per_epoch_s) // 2]:.3f} seconds[/] for {_images(config['images'])}")
    out.print(f"CPU usage: {_before_and_after(idle_cpu_pct, samples)}")
    out.print(f"GPU usage: {_gpu_usage(samples, gpus)}")
    failed = int(metrics["images_failed"]["value"] or 0)
    if failed:
        out.print(f"Processed {_images(trials[0]['epochs'][0]['images_ok'])}; {failed} failed.", style="yellow")
    else:
        out.print(f"Processed {_images(config['images'])} successfully.", style="green")
    out.print()
    out.print(_metrics_table(record, trials[0]["tf"]))
    if (fed := record.get("input")) is not None:
        out.print(f"Input: {fed['text']}", style="bold", markup=False, soft_wrap=True)
    for warning in record["warnings"]:
        out.print(f"Note: {warning['message']}; {warning['advice']}", style="yellow", markup=False)
    out.print()
    print_recorded(folder)


_METRICS: Sequence[tuple[MetricName, str]] = (
    ("startup_s", "until every worker was ready"),
    ("work_s", "the timed epochs together"),
    ("teardown_s", "until every worker was gone"),
    ("total_s", "what you would have waited"),
    ("images_per_s", ""),
    ("latency_p50_ms", "half of the images were faster"),
    ("latency_p95_ms", "19 of 20 were faster"),
    ("cpu_s_per_image", "CPU seconds of all processes"),
    ("cpu_utilization_pct", "of the CPUs that may be used"),
    ("peak_memory_mb", "shared pages counted once"),
)

_OF_CONSUMER: Sequence[tuple[MetricName, str]] = (
    ("accelerator_utilization_pct", "busy of the time, first steps left out"),
    ("steps_per_s", "of the consumer"),
    ("step_wait_ms", "half of the steps waited less"),
    ("first_batch_s", "until the first batch was there"),
    ("consumed_images_per_s", "into the consumer, first steps left out"),
)


def _metrics_table(record: ResultJson, tf: ThreadSettings) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    trials = record["trials"]
    count = f"{len(trials)} trials" if len(trials) > 1 else "1 trial"
    table.add_row("point", escape(name_of(record)), f"{count}, {record['config']['protocol']['epochs']} timed epochs each")
    for name, what in _METRICS:
        table.add_row(name, with_interval(record["metrics"][name]), what)
    for name, what in _OF_CONSUMER:
        if name in record["metrics"]:
            table.add_row(name, with_interval(record["metrics"][name]), what)
    if tf["intra_op"] is None:
        table.add_row("TensorFlow", "-", "not started: the task does not use it")
    else:
        table.add_row("TensorFlow", f"{tf['intra_op']}/{tf['inter_op']}", "intra_op/inter_op read back; 0 is its own choice")
    if (slowest := slowest_stage(trials[-1])) is not None:
        took = f"{slowest['ms_per_image']:.3g} ms an image, {slowest['parallel_calls']} at a time"
        table.add_row("slowest stage", escape(slowest["stage"]), f"{took}; all stages are under backend in the record")
    return table


def print_differences(changed: Sequence[Difference]) -> None:
    """What is not as it was when the record was made."""
    if not changed:
        console().print("Nothing that was recorded of the environment and of the images differs now.")
        return
    table = Table(title="What differs now", title_justify="left")
    for name in ("", "then", "now"):
        table.add_column(name, overflow="fold")
    for one in changed:
        table.add_row(escape(one["what"]), escape(_plain_text(one["then"])), escape(_plain_text(one["now"])))
    console().print(table)


def print_agreement(outcomes: Sequence[RepeatedPoint]) -> None:
    """Whether each point came out as the original did."""
    out = console()
    table = Table(title="Then and now: median [95 % interval]", title_justify="left")
    for name in ("point", "of", "then", "now", "outcome"):
        table.add_column(name)
    for outcome in outcomes:
        for metric in outcome["metrics"]:
            sides = [with_interval(side) if side else "-" for side in (metric["then"], metric["now"])]
            table.add_row(escape(outcome["name"]), metric_name(metric["metric"]), *sides, _agreement_text(metric))
        table.add_section()
    out.print(table)
    if other := [outcome["name"] for outcome in outcomes if not outcome["same_configuration"]]:
        names = "all points" if len(other) == len(outcomes) > 1 else ", ".join(other)
        out.print(f"No repetition, because the configuration is another one now: {names}", style="yellow", markup=False)
    if differing := [outcome["name"] for outcome in outcomes if outcome["same_results"] is False]:
        out.print(f"The results differ from the original's: {', '.join(differing)}", style="bold red", markup=False)
    same = [outcome["same_results"] for outcome in outcomes]
    if all(same):
        out.print("The results are the same, byte by byte.")
    out.print(
        "[dim]Agrees: the two intervals allow a difference of 5 % at most. The two were measured in different sessions, so they also differ by what the "
        "machine did then and does now. This shows whether the record can be repeated, not which is faster.[/]"
    )


def print_in_turn(compared: Sequence[ComparisonRecord]) -> None:
    """How each changed point compares with the same point as recorded, where both have been run in turn."""
    if not compared:
        return
    table = Table(title="Changed against as recorded, in turn in this session; 95 % together", title_justify="left")
    for name in ("changed", "as recorded", "of", "ratio", "verdict"):
        table.add_column(name, justify="right" if name == "ratio" else "left")
    for one in compared:
        names = (escape(one["point"]), escape(one["baseline"]), metric_name(one["metric"]))
        table.add_row(*names, escape(ratio_text(one)), verdict_text(one))
    console().print(table)


def _agreement_text(metric: AgreementRecord) -> str:
    at_most_pct = metric.get("at_most_pct")
    if at_most_pct is None or metric["outcome"].startswith("differs"):
        return metric["outcome"]
    return f"{metric['outcome']}; they differ by {at_most_pct:.2g} % at most"


def _plain_text(value: object) -> str:
    return "-" if value is None else str(value)


def _print_failure(record: ResultJson, folder: Path) -> None:
    error = record["error"] or {"type": "", "message": "nothing was measured"}
    log = f"its log: {short(folder / 'runner.log')}"
    print_error(f"{name_of(record)} {record['status']}: {error['type']}: {error['message']}\n  {log}")
    print_recorded(folder)


def _before_and_after(before: float | None, samples: Sequence[Sample]) -> str:
    """The host's CPU usage before the first trial, and during the timed epochs of the last."""
    during = [sample.host_cpu_pct for sample in samples if sample.phase == "epoch" and sample.host_cpu_pct is not None]
    start = "not sampled" if before is None else f"{before:.0f}%"
    end = f"{sum(during) / len(during):.0f}%" if during else "not sampled"
    return f"{start} → {end} (all CPUs of the host, before → at work)"


def _gpu_usage(samples: Sequence[Sample], gpus: Gpus) -> str:
    if not gpus.devices:
        return f"none: {gpus.absent}"
    readings = [[gpu.utilization_pct for gpu in sample.gpus] for sample in samples if sample.gpus]
    if not readings:
        return "not sampled"

    def shown(values: Sequence[float | None]) -> str:
        return "/".join("unknown" if value is None else f"{value:.0f}%" for value in values)

    return f"{shown(readings[0])} → {shown(readings[-1])} ({', '.join(device.name for device in gpus.devices)})"


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
