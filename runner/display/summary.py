"""What the user sees at the end: a point, a sweep, a repetition; on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runner.display.console import console, short
from runner.display.words import metric_name, noise_text, ratio_text, self_check_text, verdict_text, with_interval
from runner.host.environment import Difference
from runner.host.gpu import Gpus
from runner.monitor.sampler import Sample
from runner.record.metric_schema import MetricName
from runner.record.point_schema import ResultJson, WarningRecord
from runner.record.reading import name_of
from runner.record.sweep_schema import AgreementRecord, RepeatedPoint, SweepJson
from runner.record.trial_schema import ThreadSettings


def print_point(record: ResultJson, folder: Path, samples: Sequence[Sample], gpus: Gpus, idle_cpu_pct: float | None) -> None:
    """The notebook's own block for one point, with how its time was spent under it.

    Args:
        record: the content of its ``result.json``.
        folder: of the record.
        samples: of its last trial.
        gpus: of this machine.
        idle_cpu_pct: how busy the host was before the first trial.
    """
    out = console()
    metrics, config = record["metrics"], record["config"]
    trials = [trial for trial in record["trials"] if trial["status"] == "ok"]
    if not trials:
        _print_failure(out, record, folder)
        return
    per_epoch_s = sorted(trial["work_s"] / len(trial["epochs"]) for trial in trials if trial["epochs"])
    out.print(f"[bold]Time taken: {per_epoch_s[len(per_epoch_s) // 2]:.3f} seconds[/] for {_images(config['images'])}")
    out.print(f"CPU usage: {_before_and_after(idle_cpu_pct, samples)}")
    out.print(f"GPU usage: {_gpu_usage(samples, gpus)}")
    failed = int(metrics["images_failed"]["value"] or 0)
    if failed:
        out.print(f"Processed {_images(trials[0]['epochs'][0]['images_ok'])}; {failed} failed:", style="yellow")
        for path, reason in trials[0]["image_errors"].items():
            out.print(f"  {path}: {reason}", markup=False)
    else:
        out.print(f"Processed {_images(config['images'])} successfully.", style="green")
    out.print()
    out.print(_metrics_table(record, trials[0]["tf"]))
    for warning in record["warnings"]:
        out.print(f"Note: {warning['message']}; {warning['advice']}", style="yellow", markup=False)
    out.print(f"\n[dim]Recorded in[/] {escape(short(folder))}")


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
    if tf["intra_op"] is None:
        table.add_row("TensorFlow", "-", "not started: the task does not use it")
    else:
        table.add_row("TensorFlow", f"{tf['intra_op']}/{tf['inter_op']}", "intra_op/inter_op read back; 0 is its own choice")
    return table


def print_sweep(record: SweepJson, folder: Path) -> None:
    """The points, the comparison with the baseline, the noise, the warnings, the failures; and where it is recorded.

    Args:
        record: the content of its ``sweep.json``.
        folder: of the record.
    """
    out = console()
    out.print(_points_table(record))
    _print_comparisons(out, record)
    _print_warnings(out, record)
    _print_failures(out, record, folder)
    out.print(f"[dim]Recorded in[/] {escape(short(folder))}")


def _points_table(record: SweepJson) -> Table:
    points = record["points"]
    baseline = next(point["metrics"] for point in points if point["name"] == record["baseline"]).get("images_per_s")
    base = None if baseline is None else baseline["value"]
    table = Table(title=f"{len(points)} point{'' if len(points) == 1 else 's'}, medians over trials", title_justify="left")
    several_hosts = len({host for point in points if (host := point.get("host")) is not None}) > 1
    for title in ("point", "images/s", "speed-up", "startup s", "p50 ms", "CPU %", "memory MB", "rounds"):
        table.add_column(title, justify="left" if title == "point" else "right", no_wrap=title == "point")
    if several_hosts:
        table.add_column("host")
    for point in points:
        metrics = point["metrics"]
        name = escape(point["name"]) + ("" if point["error"] is None else f" [red]{point['status']}[/]")
        if not metrics:
            table.add_row(name, *["-"] * 6, "0")
            continue
        rate = metrics["images_per_s"]["value"]
        table.add_row(
            name,
            escape(with_interval(metrics["images_per_s"])),
            f"{rate / base:.2f} x" if rate and base else "-",
            f"{metrics['startup_s']['value']:.3f}",
            f"{metrics['latency_p50_ms']['value']:.1f}",
            f"{metrics['cpu_utilization_pct']['value']:.0f}",
            f"{metrics['peak_memory_mb']['value']:.0f}",
            str(metrics["images_per_s"]["n"]),
            *([escape(str(point.get("host")))] if several_hosts else []),
        )
    return table


def _print_comparisons(out: Console, record: SweepJson) -> None:
    if not record["comparisons"]:
        if len(record["points"]) > 1:
            out.print(
                "[dim]No verdicts: these rounds are too few to distinguish a difference from chance. protocol=standard gives verdicts.[/]"
            )
        return
    if all(comparison["ratio"] is None for comparison in record["comparisons"]):
        out.print("[dim]No verdicts: the points were not measured next to each other.[/]")
        return
    table = Table(
        title=f"Against {escape(record['baseline'])}, paired by round: 95 % together for what was asked, 95 % for the rest",
        title_justify="left",
    )
    for title in ("point", "of", "ratio", "verdict"):
        table.add_column(title, justify="right" if title == "ratio" else "left")
    colours = {"faster": "green", "slower": "red", "same": "", "inconclusive": "yellow"}
    point = None
    for comparison in record["comparisons"]:
        if point not in {None, comparison["point"]}:
            table.add_section()
        colour = colours[comparison["verdict"]]
        words = f"[{colour}]{verdict_text(comparison)}[/]" if colour else verdict_text(comparison)
        words += f", {escape(' against '.join(hosts))}" if (hosts := comparison.get("hosts")) else ""
        voided = f" [dim]({len(comparison['voided_rounds'])} rounds without a pair)[/]" if comparison["voided_rounds"] else ""
        name = "" if comparison["point"] == point else escape(comparison["point"])
        point = comparison["point"]
        table.add_row(name, metric_name(comparison["metric"]), escape(ratio_text(comparison)), words + voided)
    out.print(table)
    if record["self_check"]:
        style = "dim" if record["trusted"] else "bold red"
        out.print(escape(self_check_text(record["self_check"], trusted=record["trusted"])), style=style)
    if (detectable_pct := record.get("detectable_pct")) is not None:
        out.print(noise_text(detectable_pct), style="dim", markup=False)


def _print_failures(out: Console, record: SweepJson, folder: Path) -> None:
    failed = [(point, error) for point in record["points"] if (error := point["error"]) is not None]
    if not failed:
        return
    table = Table(title=f"{len(failed)} of {len(record['points'])} points did not finish", title_justify="left", style="red")
    for title in ("point", "status", "rounds done", "why", "log"):
        table.add_column(title, overflow="fold")
    for point, error in failed:
        done = point["metrics"]["images_per_s"]["n"] if point["metrics"] else 0
        why = f"{error['type']}: {error['message']}"
        log = short(folder / point["folder"] / "runner.log")
        table.add_row(escape(point["name"]), point["status"], f"{done} of {point['rounds']}", escape(why), escape(log))
    out.print(table)


def _print_warnings(out: Console, record: SweepJson) -> None:
    """Each kind once, with the points that it holds for."""
    kinds: dict[str, list[tuple[str, WarningRecord]]] = {}
    for point in record["points"]:
        for warning in point["warnings"]:
            kinds.setdefault(warning["kind"], []).append((point["name"], warning))
    for warning in record["warnings"]:
        out.print(f"Warning: {warning['message']}; {warning['advice']}", style="bold red", markup=False)
    for warned in kinds.values():
        names = ", ".join(label for label, _ in warned)
        where = "all points" if len(warned) == len(record["points"]) > 1 else names
        example = f" (such as {warned[0][0]})" if len({warning["message"] for _, warning in warned}) > 1 else ""
        first = warned[0][1]
        out.print(f"Note on {where}: {first['message']}{example}; {first['advice']}", style="yellow", markup=False)


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
        "[dim]Agrees: the two intervals leave room for a difference of 5 % at most. The two were measured in two sessions, and what the machine did "
        "in each is in them: this tells whether the record can be repeated, not which is faster.[/]"
    )


def _agreement_text(metric: AgreementRecord) -> str:
    at_most_pct = metric.get("at_most_pct")
    if at_most_pct is None or metric["outcome"].startswith("differs"):
        return metric["outcome"]
    return f"{metric['outcome']}; they differ by {at_most_pct:.2g} % at most"


def _plain_text(value: object) -> str:
    return "-" if value is None else str(value)


def _print_failure(out: Console, record: ResultJson, folder: Path) -> None:
    error = record["error"] or {"type": "", "message": "nothing was measured"}
    out.print(
        f"{name_of(record)} {record['status']}: {error['type']}: {error['message']}", style="red", markup=False, soft_wrap=True
    )
    out.print(f"  its log: {short(folder / 'runner.log')}", markup=False, style="dim", soft_wrap=True)


def _before_and_after(before: float | None, samples: Sequence[Sample]) -> str:
    """The host's CPU usage before the first trial, and while the last one worked."""
    during = [sample.host_cpu_pct for sample in samples if sample.phase == "epoch" and sample.host_cpu_pct is not None]
    start = "not sampled" if before is None else f"{before:.0f}%"
    end = f"{sum(during) / len(during):.0f}%" if during else "not sampled"
    return f"{start} → {end} (all CPUs of the host, before → at work)"


def _gpu_usage(samples: Sequence[Sample], gpus: Gpus) -> str:
    if not gpus.devices:
        return f"none: {gpus.absent}"
    seen = [[gpu.utilization_pct for gpu in sample.gpus] for sample in samples if sample.gpus]
    if not seen:
        return "not sampled"

    def shown(values: Sequence[float | None]) -> str:
        return "/".join("unknown" if value is None else f"{value:.0f}%" for value in values)

    return f"{shown(seen[0])} → {shown(seen[-1])} ({', '.join(device.name for device in gpus.devices)})"


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"
