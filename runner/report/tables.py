"""The report's tables: columns, rows, and whether a cell is good or bad. The page and the terminal show the same tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.analysis.amortised import SIZES, Cost, cost_of, quickest
from runner.analysis.bounds import BINDS, KINDS, bounds_of
from runner.analysis.scaling import Estimate, Law, law_text
from runner.display.ranking import any_failed, failed_text
from runner.display.words import cut_short_text, metric_name, ratio_text, verdict_text, with_interval
from runner.host.environment import Environment
from runner.record.reading import PointRecord, good_trials, value_of, was_cut_short
from runner.record.sizes import gigabytes
from runner.report.charts.groups import fewest_workers_of
from runner.report.subject import Subject

# The page folds tables with more rows than ``LONG``. Tables that take time to read show the ``_MOST`` best points only.
LONG = 40
_MOST = 20

_STANDS = {"leader": "better", "may be best": "unsure"}
_STATES = {"found": "may spoil it", "unknown": "unknown"}
_TONES = {"faster": "better", "slower": "worse", "same": "", "inconclusive": "unsure"}


@dataclass(frozen=True)
class Column:
    """A heading, and whether the cells below it are numbers."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class Cell:
    """A text, and its tone: ``better``, ``worse``, ``unsure`` or empty."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``note`` explains its figures."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def long(self) -> bool:
        """Whether the page should fold it."""
        return len(self.rows) > LONG


def of_ranking(subject: Subject) -> Table | None:
    """Where each point stands, the best first; None where there is no other point."""
    if len(subject.ranking) < 3:
        return None
    titles, *every = subject.ranking
    columns = [Column(title, number=0 < place < len(titles) - 1) for place, title in enumerate(titles)]
    cells = [[Cell(text) for text in texts[:-1]] + [Cell(texts[-1], _STANDS.get(texts[-1], ""))] for texts in every]
    note = (
        "The best of all is at most so much better than the point, for all points together with 95 %. Out: another point is proven to be better. "
        "May be best: none is proven to be."
    )
    return Table("Where each point stands", columns, cells, note)


def of_points(subject: Subject) -> Table:
    """Every point with its figures."""
    baseline = subject.by_label.get(subject.baseline or "")
    base = None if baseline is None else value_of(baseline, "images_per_s")
    columns = [
        Column("point"), Column("images/s", number=True), Column("speed-up", number=True), Column("start-up s", number=True),
        Column("p50 ms", number=True), Column("p95 ms", number=True), Column("CPU ms/image", number=True),
        Column("CPU %", number=True), Column("memory MB", number=True), Column("trials", number=True), Column("status"),
    ]  # fmt: skip
    failed = any_failed([point.record["metrics"] for point in subject.points])
    if failed:
        columns.append(Column("images failed", number=True))
    hosts = {point.record["environment"].get("host") for point in subject.points}
    if len(hosts) > 1:
        columns.append(Column("host"))
    rows = []
    for point in subject.points:
        rate = value_of(point, "images_per_s")
        cost_s = value_of(point, "cpu_s_per_image")
        metric = point.record["metrics"].get("images_per_s")
        texts = [
            with_interval(metric) if metric else "-",
            f"{rate / base:.2f} x" if rate and base else "-",
            _number(value_of(point, "startup_s"), 3),
            _number(value_of(point, "latency_p50_ms"), 3),
            _number(value_of(point, "latency_p95_ms"), 3),
            _number(None if cost_s is None else cost_s * 1e3, 3),
            _number(value_of(point, "cpu_utilization_pct"), 3),
            _number(value_of(point, "peak_memory_mb"), 4),
            str(len(good_trials(point))),
        ]
        ended = cut_short_text(point.record) if was_cut_short(point.record) else point.record["status"]
        cells = [Cell(point.label), *(Cell(text) for text in texts), Cell(ended, "" if ended == "ok" else "worse")]
        cells += [Cell(failed_text(point.record["metrics"]))] if failed else []
        rows.append([*cells, Cell(str(point.record["environment"].get("host")))] if len(hosts) > 1 else cells)
    return Table("All points", columns, rows, "Medians over trials. CPU %: of the CPUs that may be used.")


def of_comparisons(subject: Subject) -> Table | None:
    """The verdicts in every compared metric; None without any."""
    if not subject.comparisons:
        return None
    columns = [
        Column("point"),
        Column("of"),
        Column("ratio [95 % interval]", number=True),
        Column("verdict"),
        Column("pairs", number=True),
    ]
    rows, last = [], None
    for comparison in subject.comparisons:
        voided = f" ({len(comparison['voided_rounds'])} rounds without a pair)" if comparison["voided_rounds"] else ""
        hosts = f", {' against '.join(both)}" if (both := comparison.get("hosts")) else ""
        rows.append(
            [
                Cell("" if comparison["point"] == last else comparison["point"]),
                Cell(metric_name(comparison["metric"])),
                Cell(ratio_text(comparison)),
                Cell(verdict_text(comparison) + hosts + voided, _TONES[comparison["verdict"]]),
                Cell(str(comparison["n"])),
            ]
        )
        last = comparison["point"]
    note = (
        "Ratios are paired by round. The intervals of the objective hold for all points of the sweep together, in 95 of 100 sweeps; so do those of "
        "the other metrics together. A verdict of faster or slower needs both Student's and the signed-rank interval. Same means within 2 %."
    )
    return Table(f"Against {subject.baseline}", columns, rows, note)


def of_bounds(subject: Subject) -> Table | None:
    """The bounds of throughput, and which of them binds."""
    bounded = [
        (point, bounds)
        for point in _few(subject)
        if (bounds := bounds_of(point, fewest_workers_of(subject, point))) is not None
    ]
    if not bounded:
        return None
    kinds = [kind for kind in KINDS if any(bound.what == kind for _, bounds in bounded for bound in bounds.bounds)]
    rows = []
    for point, bounds in bounded:
        known = {bound.what: bound.images_per_s for bound in bounds.bounds}
        cells = [
            Cell(_number(known.get(kind), 4), "" if bounds.bounds and kind == bounds.bounds[0].what else "unsure")
            for kind in kinds
        ]
        verdict = Cell(bounds.verdict, "" if bounds.binding else "unsure")
        rows.append([Cell(point.label), Cell(_number(bounds.images_per_s, 4)), verdict, *cells])
    columns = [Column("point"), Column("images/s", number=True), Column("what binds")]
    columns += [Column(f"by {kind}", number=True) for kind in kinds]
    note = (
        f"Images a second that each would allow: {'; '.join(f'{kind}: {KINDS[kind]}' for kind in kinds)}. One binds where throughput comes "
        f"to {BINDS * 100:.0f} % of it. If none does in a thread mode, monitor.gil_probe=true measures how much of the time the "
        "interpreter lock is held."
    )
    return Table("Which bound binds", columns, rows, note)


def of_amortisation(subject: Subject) -> Table | None:
    """The time of an image in runs of 10, 1 000 and 100 000 images, with its share of start-up and teardown."""
    costs = [cost for point in _few(subject) if (cost := cost_of(point)) is not None]
    if not costs:
        return None
    first = [quickest(costs, size) for size in SIZES]
    rows = []
    for cost in costs:
        cells = [Cell(cost.point.label), Cell(f"{cost.once_s:.3f}"), Cell(f"{cost.image_s * 1e3:.3g}")]
        for size, best in zip(SIZES, first, strict=True):
            cells.append(Cell(f"{cost.total_s(size) / size * 1e3:.3g}", "better" if cost is best and len(costs) > 1 else ""))
        rows.append([*cells, *_imports(cost)])
    sizes = [Column(f"ms an image of {size:,}".replace(",", " "), number=True) for size in SIZES]
    columns = [
        Column("point"),
        Column("once, s", number=True),
        Column("an image, ms", number=True),
        *sizes,
        Column("import, s", number=True),
    ]
    note = "Once: start-up and teardown. The quickest of each column is marked. Imports, above all that of TensorFlow, are not in these figures: a program of your own pays them."
    return Table("Once and for each image", columns, rows, note)


def _imports(cost: Cost) -> list[Cell]:
    trials = good_trials(cost.point)
    start_s = [max(trial.get("preload_s") or 0.0, trial.get("import_s") or 0.0) for trial in trials]
    return [Cell(f"{statistics.median(start_s):.2f}" if start_s else "-")]


def of_laws(laws: Mapping[str, Law]) -> Table | None:
    """The parameters of the scaling laws; None if none was fitted."""
    if not laws:
        return None
    rows = []
    for name, law in laws.items():
        residuals = ", ".join(f"{workers}: {off:+.1%}" for workers, off in law.residuals.items())
        if law.good:
            figures = [_estimate(law.contention), _estimate(law.coherency), law_text(name, law).rpartition(": ")[2]]
        else:
            figures = ["-", "-", "it does not describe the measurements, so nothing is predicted from it"]
        rows.append([Cell(name), *(Cell(text) for text in figures), Cell(residuals)])
    columns = [
        Column("kind"), Column("contention σ", number=True), Column("coherency κ", number=True), Column("prediction"), Column("residuals"),
    ]  # fmt: skip
    note = (
        "Universal Scalability Law, X(N) = λN / (1 + σ(N − 1) + κN(N − 1)), fitted to the medians; intervals from rounds drawn again. A "
        "prediction, not a measurement; used only where no measured value is further than 5 % from it. Residuals: measured ÷ fitted − 1."
    )
    return Table("The scaling law", columns, rows, note)


def of_failures(subject: Subject) -> Table | None:
    """The points that did not finish, and why; None if all did."""
    rows = []
    for point in subject.points:
        error = point.record["error"]
        if error is None:
            continue
        done = f"{len(good_trials(point))} of {point.record['config'].get('protocol', {}).get('rounds', '?')}"
        log = str(point.folder / "runner.log")
        rows.append(
            [
                Cell(point.label),
                Cell(point.record["status"], "worse"),
                Cell(done),
                Cell(f"{error['type']}: {error['message']}"),
                Cell(log),
            ]
        )
    if not rows:
        return None
    columns = [Column("point"), Column("status"), Column("rounds done"), Column("why"), Column("log")]
    return Table("Points that did not finish", columns, rows)


def of_environment(subject: Subject) -> Table:
    """The environment in which the points ran."""
    environment = subject.points[0].record["environment"]
    git = environment.get("git")
    gpus = environment.get("gpus") or []
    known: list[tuple[str, Any]] = [
        ("host", environment.get("host")),
        ("system", environment.get("os")),
        ("CPU", f"{environment.get('cpu')}, {environment.get('cpus_usable')} of {environment.get('cpus')} usable"),
        ("memory", _memory(environment)),
        ("GPU", ", ".join(str(gpu) for gpu in gpus) or "none"),
        (
            "Python",
            f"{environment.get('python')} ({environment.get('python_implementation')}, GIL {'on' if environment.get('gil') else 'off'})",
        ),
        ("packages", ", ".join(f"{name} {version}" for name, version in (environment.get("packages") or {}).items())),
        ("commit", f"{git['commit'][:12]}{', with changes' if git['dirty'] else ''}" if git else "not in a git repository"),
        (
            "variables",
            ", ".join(f"{name}={value}" for name, value in (environment.get("variables") or {}).items()) or "none that matter",
        ),
        *[(_STATES[one["state"]], one["message"]) for one in environment.get("findings") or [] if one["state"] in _STATES],
    ]
    return Table("Environment", [Column("what"), Column("it was")], [[Cell(name), Cell(str(value))] for name, value in known])


def _memory(environment: Environment) -> str:
    limit = environment.get("memory_limit_bytes")
    allowed = "" if limit is None else f", of which the control group allows {gigabytes(limit)}"
    return f"{gigabytes(environment.get('memory_bytes') or 0)}{allowed}"


def _few(subject: Subject) -> Sequence[PointRecord]:
    """All points, or the best of them if there are too many to read."""
    if len(subject.good) <= _MOST:
        return subject.good
    return sorted(subject.good, key=lambda point: -(value_of(point, "images_per_s") or 0.0))[:_MOST]


def _estimate(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _small(estimate.value)
    return f"{_small(estimate.value)} [{_small(estimate.low)}, {_small(estimate.high)}]"


def _small(value: float) -> str:
    """Three digits; 0 for a value so small that it is a remainder of the fit."""
    return "0" if abs(value) < 1e-6 else f"{value:.3g}"


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"
