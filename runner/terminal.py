"""What the user sees while it runs, and at the end. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from runner.monitor.gpu import Gpus
from runner.monitor.sampler import Sample
from runner.point import Point
from runner.report.words import metric_name, ratio_text, self_check_text, verdict_text, with_interval
from runner.secrets import masked
from runner.supervisor import Event
from runner.trial.messages import Phase
from runner.trial.messages import Progress as TrialProgress

if TYPE_CHECKING:
    from runner.protocol.warnings import Warning  # noqa: A004
    from runner.sweep import Sweep

_PHASES = {
    "import": "imports TensorFlow",
    "startup": "starts its workers",
    "warmup": "warms up",
    "verify": "checks results",
    "teardown": "stops its workers",
}


class LineDisplay:
    """What a user should know at once, and nothing else."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    def tell(self, message: str) -> None:
        self.console.print(message, style="yellow", markup=False)

    def trial_starts(self, point: Point, number: int, left: int) -> None:
        """Nothing that has to be said."""

    def event(self, point: Point, event: Event) -> None:
        """Nothing that has to be said."""

    def trial_ends(self, point: Point, trial: dict[str, Any]) -> None:
        if trial["error"] is not None:
            error = trial["error"]
            self.console.print(
                f"{point.name} {trial['status']}: {error['type']}: {error['message']}", style="red", markup=False
            )


class ProgressDisplay(LineDisplay):
    """One bar over all trials, and a line for what the present one does."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("trials"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            # Twice a second: the conductor should be idle while a trial is timed.
            refresh_per_second=2,
        )
        self._bar = self._progress.add_task("starting TensorFlow", total=None)
        self._epoch = self._done = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._progress.stop()

    def trial_starts(self, point: Point, number: int, left: int) -> None:
        self._epoch = 0
        self._progress.update(self._bar, total=self._done + left)
        self._describe(f"{point.name}, round {number + 1}")

    def event(self, point: Point, event: Event) -> None:
        match event:
            case Phase(name="epoch"):
                self._epoch += 1
                self._describe(f"{point.name}: epoch {self._epoch} of {point.config.protocol.epochs}")
            case Phase(name=name) if name in _PHASES:
                self._describe(f"{point.name} {_PHASES[name]}")
            case TrialProgress(done=done, epoch=epoch):
                which = "warm-up" if epoch is None else f"epoch {epoch + 1}"
                self._describe(f"{point.name}: {which}, {done} of {point.config.images} images")

    def trial_ends(self, point: Point, trial: dict[str, Any]) -> None:
        super().trial_ends(point, trial)
        self._done += 1
        self._progress.update(self._bar, completed=self._done)

    def _describe(self, what: str) -> None:
        self._progress.update(self._bar, description=what)


def print_point(point: Point, gpus: Gpus, idle_cpu_pct: float | None) -> None:
    """The notebook's own block for one point, with how its time was spent under it."""
    console = _out()
    metrics = point.metrics
    if not metrics:
        _print_failure(console, point)
        return
    first = point.trials[0]["epochs"][0]
    samples = point.series[-1].samples
    per_epoch_s = sorted(trial["work_s"] / len(trial["epochs"]) for trial in point.trials if trial["epochs"])
    console.print(f"[bold]Time taken: {per_epoch_s[len(per_epoch_s) // 2]:.3f} seconds[/] for {_images(point.config.images)}")
    console.print(f"CPU usage: {_before_and_after(idle_cpu_pct, samples)}")
    console.print(f"GPU usage: {_gpu_usage(samples, gpus)}")
    failed = int(metrics["images_failed"]["value"])
    if failed:
        console.print(f"Processed {_images(first['images_ok'])}; {failed} failed:", style="yellow")
        for path, reason in point.trials[0]["image_errors"].items():
            console.print(f"  {path}: {reason}", markup=False)
    else:
        console.print(f"Processed {_images(point.config.images)} successfully.", style="green")
    console.print()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    count = f"{len(point.trials)} trials" if len(point.trials) > 1 else "1 trial"
    table.add_row("point", escape(point.name), f"{count}, {point.config.protocol.epochs} timed epochs each")
    for name, what in (
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
    ):
        table.add_row(name, with_interval(metrics[name]), what)
    tf = point.trials[0]["tf"]
    if tf["intra_op"] is None:
        table.add_row("TensorFlow", "-", "not started: the task does not use it")
    else:
        table.add_row("TensorFlow", f"{tf['intra_op']}/{tf['inter_op']}", "intra_op/inter_op read back; 0 is its own choice")
    console.print(table)
    for warning in point.warnings():
        console.print(f"Note: {warning.message}; {warning.advice}", style="yellow", markup=False)
    console.print(f"\n[dim]Recorded in[/] {escape(short(point.folder))}")


def print_sweep(sweep: Sweep) -> None:
    """The points, the comparison with the baseline, the noise, the warnings, the failures; and where it is recorded."""
    console, record = _out(), sweep.record()
    labels = sweep.labels
    base = sweep.baseline.metrics.get("images_per_s", {}).get("value")
    table = Table(
        title=f"{len(sweep.points)} point{'' if len(sweep.points) == 1 else 's'}, medians over trials", title_justify="left"
    )
    hosts = {point.host for point in sweep.points if point.host is not None}
    for title in ("point", "images/s", "speed-up", "startup s", "p50 ms", "CPU %", "memory MB", "rounds"):
        table.add_column(title, justify="left" if title == "point" else "right", no_wrap=title == "point")
    if len(hosts) > 1:
        table.add_column("host")
    for point in sweep.points:
        metrics = point.metrics
        name = escape(labels[id(point)]) + ("" if point.error is None else f" [red]{point.status}[/]")
        if not metrics:
            table.add_row(name, *["-"] * 6, "0")
            continue
        table.add_row(
            name,
            escape(with_interval(metrics["images_per_s"])),
            f"{metrics['images_per_s']['value'] / base:.2f} x" if base else "-",
            f"{metrics['startup_s']['value']:.3f}",
            f"{metrics['latency_p50_ms']['value']:.1f}",
            f"{metrics['cpu_utilization_pct']['value']:.0f}",
            f"{metrics['peak_memory_mb']['value']:.0f}",
            str(metrics["images_per_s"]["n"]),
            *([escape(str(point.host))] if len(hosts) > 1 else []),
        )
    console.print(table)
    _print_comparisons(console, record)
    _print_warnings(console, sweep)
    _print_failures(console, sweep)
    console.print(f"[dim]Recorded in[/] {escape(short(sweep.folder))}")


def _print_comparisons(console: Console, record: Mapping[str, Any]) -> None:
    if not record["comparisons"]:
        if len(record["points"]) > 1:
            console.print("[dim]No verdicts: so few rounds tell chance from difference badly. protocol=standard gives them.[/]")
        return
    if all(found["ratio"] is None for found in record["comparisons"]):
        console.print("[dim]No verdicts: the points were not measured next to each other.[/]")
        return
    table = Table(title=f"Against {escape(record['baseline'])}, paired by round, 95 % together", title_justify="left")
    for title in ("point", "of", "ratio", "verdict"):
        table.add_column(title, justify="right" if title == "ratio" else "left")
    colours = {"faster": "green", "slower": "red", "same": "", "inconclusive": "yellow"}
    point = None
    for found in record["comparisons"]:
        if point not in {None, found["point"]}:
            table.add_section()
        colour = colours[found["verdict"]]
        words = f"[{colour}]{verdict_text(found)}[/]" if colour else verdict_text(found)
        words += f", {escape(' against '.join(found['hosts']))}" if found["hosts"] else ""
        voided = f" [dim]({len(found['voided_rounds'])} rounds without a pair)[/]" if found["voided_rounds"] else ""
        name = "" if found["point"] == point else escape(found["point"])
        point = found["point"]
        table.add_row(name, metric_name(found["metric"]), escape(ratio_text(found)), words + voided)
    console.print(table)
    if record["self_check"]:
        style = "dim" if record["trusted"] else "bold red"
        console.print(escape(self_check_text(record["self_check"], trusted=record["trusted"])), style=style)


def _print_failures(console: Console, sweep: Sweep) -> None:
    failed = [point for point in sweep.points if point.error is not None]
    if not failed:
        return
    table = Table(
        title=f"{len(failed)} of {len(sweep.points)} points did not come to their end", title_justify="left", style="red"
    )
    for title in ("point", "status", "rounds done", "why", "log"):
        table.add_column(title, overflow="fold")
    labels = sweep.labels
    for point in failed:
        error = point.error or {}
        done = sum(trial["status"] == "ok" for trial in point.trials)
        why = f"{error['type']}: {error['message']}"
        log = short(point.folder / "runner.log")
        table.add_row(
            escape(labels[id(point)]), point.status, f"{done} of {point.config.protocol.rounds}", escape(why), escape(log)
        )
    console.print(table)


def _print_warnings(console: Console, sweep: Sweep) -> None:
    """Each kind once, with the points that it holds for: the same advice twelve times is read by nobody."""
    labels = sweep.labels
    kinds: dict[str, list[tuple[str, Warning]]] = {}
    for point in sweep.points:
        for warning in point.warnings():
            kinds.setdefault(warning.kind, []).append((labels[id(point)], warning))
    for warning in sweep.warnings:
        console.print(f"Warning: {warning.message}; {warning.advice}", style="bold red", markup=False)
    for found in kinds.values():
        names = ", ".join(label for label, _ in found)
        where = "all points" if len(found) == len(sweep.points) > 1 else names
        example = f" (such as {found[0][0]})" if len({warning.message for _, warning in found}) > 1 else ""
        first = found[0][1]
        console.print(f"Note on {where}: {first.message}{example}; {first.advice}", style="yellow", markup=False)


def print_error(message: str) -> None:
    """One message for the user, in red where there is colour."""
    Console(stderr=True).print(masked(message), style="red", markup=False, highlight=False, soft_wrap=True)


def print_note(message: str) -> None:
    """One thing to know before it starts."""
    _out().print(message, style="yellow", markup=False)


def print_differences(changed: Sequence[Mapping[str, Any]]) -> None:
    """What is not as it was when the record was made."""
    if not changed:
        _out().print("Nothing that was recorded of the environment and of the images differs now.")
        return
    table = Table(title="What differs now", title_justify="left")
    for name in ("", "then", "now"):
        table.add_column(name, overflow="fold")
    for found in changed:
        table.add_row(escape(found["what"]), *(escape(_plain_text(found[side])) for side in ("then", "now")))
    _out().print(table)


def print_agreement(outcomes: Sequence[Mapping[str, Any]]) -> None:
    """Whether each point came out as the original did."""
    console = _out()
    table = Table(title="Then and now: median [95 % interval]", title_justify="left")
    for name in ("point", "of", "then", "now", "outcome"):
        table.add_column(name)
    for outcome in outcomes:
        for found in outcome["metrics"]:
            sides = [with_interval(found[side]) if found[side] else "-" for side in ("then", "now")]
            table.add_row(escape(outcome["name"]), metric_name(found["metric"]), *sides, found["outcome"])
        table.add_section()
    console.print(table)
    if other := [outcome["name"] for outcome in outcomes if not outcome["same_configuration"]]:
        who = "all points" if len(other) == len(outcomes) > 1 else ", ".join(other)
        console.print(f"No repetition, because the configuration is another one now: {who}", style="yellow", markup=False)
    if differing := [outcome["name"] for outcome in outcomes if outcome["same_results"] is False]:
        console.print(f"The results differ from the original's: {', '.join(differing)}", style="bold red", markup=False)
    same = [outcome["same_results"] for outcome in outcomes]
    if all(same):
        console.print("The results are the same, byte by byte.")
    console.print(
        "[dim]Agrees: the two intervals have values in common, or the medians are within 2 %. What the machine did then and does now is in them, so this tells whether "
        "the record can be repeated, not which is faster.[/]"
    )


def _plain_text(value: object) -> str:
    return "-" if value is None else str(value)


def print_report_path(report: Path) -> None:
    """The last line of a sweep: what to open."""
    _out().print(f"[dim]To look at:[/] {escape(short(report))}")


def print_where_tracked(page: str | None) -> None:
    """Where the runs can be looked at; None for the local store."""
    hint = "make ui shows it" if page is None else escape(page)
    _out().print(f"[dim]In MLflow:[/] {hint}")


def _out() -> Console:
    # Piped into a file there is no terminal to fit: let lines be as long as they are.
    console = Console(highlight=False, emoji=False, markup=True)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=160)


def _print_failure(console: Console, point: Point) -> None:
    error = point.error or {"type": "", "message": "nothing was measured"}
    console.print(f"{point.name} {point.status}: {error['type']}: {error['message']}", style="red", markup=False)
    console.print(f"  its log: {short(point.folder / 'runner.log')}", markup=False, style="dim")


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


def short(path: os.PathLike[str]) -> str:
    """The path as the user would type it from here."""
    relative = os.path.relpath(path)
    return os.fspath(path) if relative.startswith("..") else relative
