"""A sweep: its points, the baseline among them, and their comparison."""

from __future__ import annotations

import contextlib
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.analysis.statistics import detectable
from runner.analysis.stopping import own_half_width, widest_half_width
from runner.analysis.verdicts import FASTER, SLOWER, Comparison, Side, compare_points
from runner.analysis.warnings import at_the_edge, of_hosts, of_rounds, of_sweep
from runner.config.options import Skip
from runner.disk import write_atomically
from runner.display.markdown import comparison_table
from runner.errors import RunnerError
from runner.record.gate import SCHEMA_VERSION
from runner.record.metric_schema import MetricName
from runner.record.reading import SELF_CHECK, SWEEP, read_sweep_json, spoken_name
from runner.record.sweep_schema import FrontPoint, FrontRecord, PointFailure, SweepJson
from runner.record.warning import ResultWarning
from runner.secrets import masked_data, masked_override
from runner.sweeps.labels import chosen_baseline
from runner.sweeps.point import Point

if TYPE_CHECKING:
    from runner.analysis.conclusion import Candidate, Conclusion, Question


@dataclass
class Sweep:
    """A sweep and its results.

    Attributes:
        points: in the order in which they were given; labelled.
        folder: where its record goes.
        baseline: one of the points.
        duplicate: the baseline a second time, as a check; None if the protocol does not ask for it.
        comparisons: of every point with the baseline, in every compared metric; empty where the protocol gives no verdicts.
        conclusion: the answer, the ranking, the recommended point; None before there is one.
        self_check: of the duplicate with the baseline, in images per second; None without one.
        images_per_epoch: the number that was found for all points with images=auto; None where none had to be found.
        warnings: those about several points.
        command: a line that runs it again.
        id: of this record, wherever it is copied to.
    """

    points: Sequence[Point]
    folder: Path
    baseline: Point
    duplicate: Point | None = None
    comparisons: list[Comparison] = field(default_factory=list)
    conclusion: Conclusion | None = None
    self_check: Comparison | None = None
    images_per_epoch: int | None = None
    warnings: list[ResultWarning] = field(default_factory=list)
    command: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, points: Sequence[Point], folder: Path) -> Sweep:
        """The sweep of these points. If it was begun in this folder before, it keeps its id, and what was known stays known."""
        sweep = cls(points, folder, chosen_baseline(points))
        with contextlib.suppress(RunnerError):  # a new one
            begun = read_sweep_json(folder / SWEEP)
            sweep.id, sweep.images_per_epoch = begun.get("id", sweep.id), begun.get("images_per_epoch")
            sweep.command = begun["command"]  # a resumed one keeps the line that began it
        if any(point.trials for point in points):
            sweep.conclude()
        return sweep

    @property
    def raced(self) -> bool:
        """Whether points drop out before the end."""
        return self.baseline.config.protocol.race and len(self.points) > 1

    @property
    def trusted(self) -> bool:
        """Whether the baseline and its duplicate came out alike; true without a duplicate. Four of a hundred sound sweeps fail this check."""
        return self.self_check is None or self.self_check.verdict not in {FASTER, SLOWER}

    @property
    def objective(self) -> MetricName:
        """The metric that the sweep is run for; of several the first."""
        return self.baseline.config.objectives[0]

    def conclude(self) -> None:
        """Compare the points by what has been measured so far, and say which is best."""
        config, others = self.baseline.config, [_side(point) for point in self.points if point is not self.baseline]
        self.comparisons = []
        if config.protocol.verdicts:
            across, primary = config.compare_hosts, self.objective
            self.comparisons = compare_points(others, _side(self.baseline), primary=primary, across_hosts=across)
        if self.duplicate is not None:
            twin = Side(SELF_CHECK, self.duplicate.trials, self.duplicate.host)
            (self.self_check,) = (one for one in compare_points([twin], _side(self.baseline)) if one.metric == "images_per_s")
        self.conclusion = self._concluded()
        facts = [point.facts() for point in self.points]
        self.warnings = [
            *of_sweep(facts),
            *of_hosts(facts, self.baseline.facts()),
            *of_rounds(self.comparisons, self.objective),
            *at_the_edge(facts, self.conclusion.answer["best"]),
        ]

    def settle(self, images: int | None) -> None:
        """Write down the number of images that was found; None where none had to be."""
        if images is not None:
            self.images_per_epoch = images
            self.write()

    def half_width(self) -> float:
        """The half width of the widest interval of images per second, relative to its value; of ratios where there are any.

        It is the widest, because all points stop together: a point that went on alone would have no pairs.
        """
        living = [point for point in self.points if not point.has_failed]
        if len(living) < 2 or self.baseline.has_failed:
            return max((own_half_width(point.trials) for point in living), default=0.0)
        trials = [point.trials for point in living if point is not self.baseline]
        return widest_half_width(trials, self.baseline.trials, len(self.points) - 1)

    def inside(self, number: int) -> list[Point]:
        """The points of a race that have the round with this number, by the rounds before it; none if the race is over."""
        from runner.analysis.conclusion import replayed

        run = replayed(self._candidates(number), self._question())
        if run.over:
            return []
        return [self.points[place] for place in run.looks[-1].inside] if run.looks else list(self.points)

    def _concluded(self) -> Conclusion:
        from runner.analysis.candidates import steadied  # NumPy comes with it
        from runner.analysis.conclusion import conclude

        candidates = self._candidates()
        return conclude(candidates if self.raced else steadied(candidates), self._question())

    def _fronted(self) -> FrontRecord | None:
        """Which points nothing beats in all objectives together; None where there is one objective."""
        metrics = self.baseline.config.objectives
        if len(metrics) < 2:
            return None
        from runner.analysis.front import beaten_by

        there = [one for one in self._candidates() if not one.failed and one.readings]
        labels = [one.label for one in there]
        objectives = [[one for one in self._candidates(metric=metric) if one.label in labels] for metric in metrics]
        winners = (
            beaten_by(objectives, [self._question(metric) for metric in metrics]) if len(there) > 1 else [None] * len(there)
        )
        points: list[FrontPoint] = [
            {"point": label, "beaten_by": None if winner is None else labels[winner]}
            for label, winner in zip(labels, winners, strict=True)
        ]
        return {"objectives": list(metrics), "points": points}

    def _question(self, metric: MetricName | None = None) -> Question:
        from runner.analysis.candidates import question

        kept = None if self.baseline.config.baseline is None else self.baseline.label
        return question(metric or self.objective, self.baseline.config.protocol.indifference, raced=self.raced, kept=kept)

    def _candidates(self, rounds: float = math.inf, metric: MetricName | None = None) -> list[Candidate]:
        """The points that can be taken, by what was measured of them in the first ``rounds`` rounds; not those that leave stages out."""
        from runner.analysis.candidates import candidate

        return [
            candidate(
                point.label,
                spoken_name(point.label, {"mode": {"name": point.config.mode.name}, "workers": point.config.workers}),
                [trial for trial in point.trials if trial["round"] < rounds],
                metric or self.objective,
                failed=point.has_failed,
                kind=point.config.mode.name,
            )
            for point in self.points
            if point.config.skip is Skip.none and (point.choosable or point is self.baseline)
        ]

    def _detectable_pct(self) -> float | None:
        ratios = [one.ratio for one in self.comparisons if one.metric == self.objective and one.ratio is not None]
        least = detectable(ratios)
        return None if least is None or math.isinf(least) else (least - 1) * 100

    def record(self) -> SweepJson:
        """The content of ``sweep.json``."""
        record: SweepJson = {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "command": self.command,
            "baseline": self.baseline.label,
            "images_per_epoch": self.images_per_epoch,
            "points": [
                {
                    "id": point.id,
                    "name": point.label,
                    "overrides": [masked_override(word) for word in point.overrides],
                    "folder": point.folder.relative_to(self.folder).as_posix(),
                    "host": point.host,
                    "status": point.status,
                    "error": _failure(point),
                    "config_hash": point.hash,
                    "rounds": point.config.protocol.max_rounds if self.raced else point.config.protocol.rounds,
                    "metrics": point.metrics,
                    "warnings": [warning.record() for warning in point.warnings()],
                }
                for point in self.points
            ],
            "comparisons": [comparison.record() for comparison in self.comparisons],
            "answer": None if self.conclusion is None else self.conclusion.answer,
            "ranking": [] if self.conclusion is None else self.conclusion.ranking,
            "race": [] if self.conclusion is None else self.conclusion.race,
            "front": None if self.conclusion is None else self._fronted(),
            "detectable_pct": self._detectable_pct(),
            "self_check": None if self.self_check is None else self.self_check.record(),
            "trusted": self.trusted,
            "warnings": [warning.record() for warning in self.warnings],
        }
        masked: SweepJson = masked_data(record)
        return masked

    def write(self) -> None:
        """Write ``sweep.json``, in one step."""
        record = self.record()
        write_atomically(self.folder / SWEEP, lambda file: print(json.dumps(record, indent=1, allow_nan=False), file=file))

    def write_comparison(self) -> None:
        """Write ``comparison.md``, in one step."""
        text = comparison_table(self.record())
        write_atomically(self.folder / "comparison.md", lambda file: print(text, file=file))


def _failure(point: Point) -> PointFailure | None:
    error = point.error
    return None if error is None else {"type": error["type"], "message": error["message"]}


def _side(point: Point) -> Side:
    return Side(point.label, point.trials, point.host)
