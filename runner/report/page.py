"""Writes ``report.html``, one file that contains everything, and each chart as a file beside it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runner.analysis.recommendation import Recommendation, recommended, words_for
from runner.analysis.scaling import Law, laws
from runner.config.metrics import CRITERIA
from runner.disk import remove, write_atomically
from runner.display.words import self_check_text, with_interval
from runner.errors import RunnerError
from runner.record.metric_schema import MetricName
from runner.record.per_cent import pct_text
from runner.record.reading import REPORT, good_trials
from runner.report import tables
from runner.report.answer import answer, warnings_by_kind
from runner.report.charts import (
    amortisation,
    front,
    latency,
    law,
    noise,
    race,
    ranking,
    resources,
    speed_up,
    stages,
    steps,
    throughput,
    timeline,
    waits,
)
from runner.report.front_table import of_front
from runner.report.stage_table import of_stages
from runner.report.subject import Subject, read_subject
from runner.report.svg import Chart, schemes
from runner.report.tables import Table
from runner.report.templates import templates

# The names of all charts. A picture from an earlier report that is not drawn again is removed, because it would show other data.
_NAMES = (
    "throughput", "ranking", "speed-up", "efficiency", "law", "stages", "amortisation", "latency", "resources", "timeline", "noise", "race",
    "waits", "steps", "front",
)  # fmt: skip

# With fewer points the throughput chart already shows what the ranking would.
_RANKED_FROM = 9


@dataclass(frozen=True)
class Section:
    """A heading with its charts and tables; the page leaves out a section that has neither."""

    id: str
    title: str
    charts: Sequence[Chart] = field(default_factory=list)
    tables: Sequence[Table] = field(default_factory=list)
    text: str = ""


def write_report(folder: Path) -> Path:
    """Write the report and the pictures of the sweep or the point in ``folder``, from its record; returns the report's path.

    Raises:
        RunnerError: there is no such record, or the report cannot be written.
    """
    subject = read_subject(folder)
    sections = sections_of(subject)
    page = rendered(subject, sections)
    charts = [chart for section in sections for chart in section.charts]
    try:
        for chart in charts:
            _write(folder / f"{chart.name}.svg", chart.for_file())
        for name in set(_NAMES).difference(chart.name for chart in charts):
            remove(folder / f"{name}.svg")
        _write(folder / REPORT, page)
    except OSError as error:
        raise RunnerError(f"{folder / REPORT}: cannot be written: {error.strerror}") from error
    return folder / REPORT


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: print(text, file=file))


def sections_of(subject: Subject) -> list[Section]:
    """The sections of the page, in their order."""
    fits = fits_of(subject)
    numbered = throughput.draw(subject)
    ranked = ranking.draw(subject) if numbered is None or len(subject.good) >= _RANKED_FROM else None
    noise_floor = "" if subject.self_check is None else _sentence(self_check_text(subject.self_check, trusted=subject.trusted))
    scaled = [numbered, speed_up.draw_speed_up(subject), speed_up.draw_efficiency(subject), law.draw(subject, fits)]
    return [
        Section("race", "The race", _drawn(race.draw(subject))),
        Section("front", "Several objectives", _drawn(front.draw(subject)), _known(of_front(subject))),
        Section("failures", "What failed", [], _known(tables.of_failures(subject))),
        Section(
            "throughput", "Throughput, and what bounds it", _drawn(*scaled, ranked),
            _known(tables.of_bounds(subject), tables.of_laws(fits)),
        ),
        Section(
            "time", "Where the time goes", _drawn(stages.draw(subject), amortisation.draw(subject), latency.draw(subject)),
            _known(tables.of_amortisation(subject), of_stages(subject)),
        ),
        Section(
            "input", "Does the consumer wait for its input?", _drawn(waits.draw_waits(subject), steps.draw_steps(subject)), [],
            steps.verdicts(subject),
        ),
        Section("trial", "Inside a trial", _drawn(resources.draw(subject), timeline.draw(subject))),
        Section("verdicts", "Figures and verdicts", [], _known(tables.of_points(subject), tables.of_comparisons(subject))),
        Section("noise", "How quiet the machine was", _drawn(noise.draw(subject)), [], noise_floor),
        Section("environment", "What it ran on", [], [tables.of_environment(subject)]),
    ]  # fmt: skip


def fits_of(subject: Subject) -> dict[str, Law]:
    """The scaling laws of the lines that are shown in detail; for hundreds of lines they would take minutes."""
    if subject.layout.x is None or "workers" not in subject.layout.x.keys:
        return {}
    kinds = {(subject.places[point.label].series, subject.places[point.label].panel) for point in subject.shown_in_detail}
    return laws(
        [point for point in subject.good if (subject.places[point.label].series, subject.places[point.label].panel) in kinds]
    )


def rendered(subject: Subject, sections: Sequence[Section]) -> str:
    """The page as HTML."""
    from markupsafe import Markup

    found = templates()
    table = found.get_template("table.html.j2")

    def render(one: Table) -> Markup:
        return Markup(table.render(table=one))  # noqa: S704  (the template has escaped it)

    light, dark = schemes()
    folder = str(subject.folder)
    return found.get_template("page.html.j2").render(
        title=subject.title,
        answer=answer(subject),
        facts=_facts(subject),
        ranking=_known(tables.of_ranking(subject)),
        recommendations=_recommendations(subject),
        preset=shlex.join(["python", "-m", "runner", "recommend", folder, "--preset", "conf/experiment/mine.yaml"]),
        warnings=_warnings(subject),
        sections=sections,
        render=render,
        rerun=_command("rerun", folder),
        command=subject.command,
        again=_command("report", folder),
        light=light,
        dark=dark,
        css=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
    )


def _command(verb: str, folder: str) -> str:
    return shlex.join([Path(sys.executable).name, "-m", "runner", verb, folder])


def _facts(subject: Subject) -> list[tuple[str, str]]:
    first = subject.points[0].record
    environment = first["environment"]
    trials = sum(len(good_trials(point)) for point in subject.points)
    hosts = {point.record["environment"].get("host") for point in subject.points}
    facts = [
        ("points", f"{len(subject.points)} of {subject.expected}" if subject.cut_short else str(subject.expected)),
        ("trials", str(trials)),
        ("host", str(environment.get("host")) if len(hosts) == 1 else f"{len(hosts)} hosts"),
        ("CPU", f"{environment.get('cpu')}, {environment.get('cpus_usable'):g} usable"),
    ]
    if subject.baseline is not None:
        facts.insert(1, ("baseline", subject.baseline))
    if subject.self_check is not None and subject.self_check["low"] is not None:
        check = subject.self_check
        facts.append(("baseline against itself", f"{check['ratio']:.2f} x [{check['low']:.2f}, {check['high']:.2f}]"))
    return facts


def _recommendations(subject: Subject) -> list[dict[str, str]]:
    if len(subject.good) < 2:
        return []
    recommendations = [
        one for criterion in CRITERIA if (one := recommended(subject.points, criterion, raced=bool(subject.race))) is not None
    ]
    return [
        {
            "criterion": f"by {one.criterion}",
            "label": one.point.label,
            "figures": _figures(one),
            "words": _words(one),
            "why": _why(one),
        }
        for one in recommendations
    ]


_ENDS: Sequence[Literal["value", "low", "high"]] = ("value", "low", "high")


def _figures(one: Recommendation) -> str:
    metrics, metric = one.point.record["metrics"], CRITERIA[one.criterion]
    shown: Mapping[MetricName, tuple[str, float]] = {
        "images_per_s": ("images/s", 1.0), "latency_p95_ms": ("ms p95", 1.0), "peak_memory_mb": ("MB", 1.0), "cpu_s_per_image": ("ms of CPU an image", 1e3),
    }  # fmt: skip
    name, factor = shown[metric]
    value, low, high = (None if end is None else end * factor for end in (metrics[metric][end] for end in _ENDS))
    return f"{with_interval({'value': value, 'low': low, 'high': high, 'n': metrics[metric]['n']})} {name}"


def _words(one: Recommendation) -> str:
    try:
        return shlex.join(words_for(one))
    except RunnerError:  # the record has a configuration that this program does not know
        return ""


def _why(one: Recommendation) -> str:
    if one.bound_pct is None:
        return "First by its median; with so few rounds no more can be said."
    least = f"Nothing is more than {pct_text(one.bound_pct)} better"
    if not one.proven:
        return f"{least}; no point is proven to be within {one.within_pct:g} % of the best."
    among = f"{one.as_good} of {one.considered} points are proven to be within {one.within_pct:g} % of the best"
    return f"{least}; {among}{'' if one.as_good == 1 else ', and this is the cheapest of them'}."


def _warnings(subject: Subject) -> list[dict[str, Any]]:
    lines = [
        {"where": "The sweep", "message": one["message"], "advice": one["advice"], "loud": True} for one in subject.warnings
    ]
    for where, one in warnings_by_kind(subject.points):
        name = where[:1].upper() + where[1:] if where == "all points" else where
        lines.append({"where": name, "message": one["message"], "advice": one["advice"], "loud": False})
    return lines


def _drawn(*charts: Chart | None) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def _known(*tables: Table | None) -> list[Table]:
    return [table for table in tables if table is not None]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
