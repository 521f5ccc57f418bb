"""What was measured, as a program or a notebook gets it: read from the record on disk, which holds all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runner.config.metrics import METRICS
from runner.display.console import short
from runner.errors import ErrorRecord
from runner.record.factors import flattened, varying_keys
from runner.record.metric_schema import Metrics, MetricSummary
from runner.record.point_schema import ResultJson
from runner.record.reading import REPORT, PointRecord, SweepRecord, was_cut_short
from runner.record.sweep_schema import RankedRecord, SweepJson

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Run:
    """A point that has been measured, by itself or within a sweep.

    Attributes:
        name: such as ``process-w4``; within a sweep, its label there.
        folder: absolute, with its record: ``result.json``, a row for each image in ``images/``, the monitor's ``samples.csv``.
        record: the content of ``result.json``, described in docs/record.md. Not to be changed.
    """

    name: str
    folder: Path
    record: ResultJson

    @property
    def status(self) -> str:
        """``ok``, ``failed``, ``timeout`` or ``killed``; ``running`` where its program was ended."""
        return self.record["status"]

    @property
    def error(self) -> ErrorRecord | None:
        """Why it failed: type, message and traceback; None where it did not."""
        return self.record["error"]

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before all its rounds were run."""
        return was_cut_short(self.record)

    @property
    def config(self) -> Mapping[str, Any]:
        """Its whole configuration, as nested mappings."""
        return self.record["config"]

    @property
    def metrics(self) -> pd.DataFrame:
        """A row for each metric, whose unit is in its name: the median over ``n`` trials as ``value``, its 95 % interval from ``low`` to ``high``."""
        import pandas as pd

        metrics, columns = _summaries(self.record["metrics"]), list(MetricSummary.__annotations__)
        return pd.DataFrame(list(metrics.values()), index=pd.Index(list(metrics), name="metric"), columns=columns)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {short(self.folder)!r})"

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from runner.api.cell import cell_of

        return cell_of(self.folder)


@dataclass(frozen=True, repr=False)
class Sweep:
    """A sweep that has been measured, perhaps not to its end.

    Attributes:
        folder: absolute, with its record: ``sweep.json``, ``report.html`` and a folder for each point.
        points: those that have a trial, in the order in which they were given.
        record: the content of ``sweep.json``, described in docs/record.md. Not to be changed.
    """

    folder: Path
    points: Sequence[Run]
    record: SweepJson

    @cached_property
    def answer(self) -> str:
        """Which point is best, by how much and how sure that is, in a few sentences; or that the data do not say."""
        if not self.points:
            return "No point came to a result, so there is no answer."
        from runner.report.answer import answer
        from runner.report.subject import read_subject

        return " ".join(answer(read_subject(self.folder)))

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before all rounds of all points were run; ``runner.sweep(resume=folder)`` goes on with it."""
        return any(was_cut_short(point) for point in self.record["points"])

    @property
    def ranking(self) -> pd.DataFrame:
        """A row for each point, the best first.

        ``value`` is the median of what the sweep is run for (``images_per_s`` unless ``objective`` says otherwise), its 95 % interval is
        ``low`` to ``high``. The best of all is at most ``below_best_at_most_pct`` per cent better than the point. ``state`` is ``leader``,
        ``may_be_best`` or ``out``.
        """
        import pandas as pd

        return pd.DataFrame(self.record.get("ranking", []), columns=list(RankedRecord.__annotations__)).set_index("point")

    @property
    def table(self) -> pd.DataFrame:
        """A row for each point, in the order in which they were given: what varies between them, its status, and the median of each metric.

        A metric's unit is in its name. A point without a trial has no values.
        """
        import pandas as pd

        measured = {point.name: point for point in self.points}
        names = [point["name"] for point in self.record["points"]]
        configs = {name: flattened(measured[name].config) for name in names if name in measured}
        varying = varying_keys([point.config for point in self.points])
        rows = [
            {
                **{key: configs.get(point["name"], {}).get(key) for key in varying},
                "status": point["status"],
                **dict.fromkeys(METRICS),
                **{name: summary["value"] for name, summary in _summaries(point["metrics"]).items()},
            }
            for point in self.record["points"]
        ]
        return pd.DataFrame(rows, index=pd.Index(names, name="point"))

    @property
    def report(self) -> Path | None:
        """The page with everything, to be opened in a browser; None where it could not be written."""
        path = self.folder / REPORT
        return path if path.is_file() else None

    def __repr__(self) -> str:
        return f"Sweep({short(self.folder)!r})"

    def __str__(self) -> str:
        return self.answer

    def _repr_html_(self) -> str:
        """As a notebook shows it: the head of the report, the ranking and the pictures."""
        from runner.api.cell import cell_of

        return cell_of(self.folder)


def as_result(record: SweepRecord | PointRecord) -> Sweep | Run:
    """A record as programs get it."""
    if isinstance(record, PointRecord):
        return Run(record.label, record.folder.absolute(), record.record)
    points = tuple(Run(point.label, point.folder.absolute(), point.record) for point in record.measured)
    return Sweep(record.folder.absolute(), points, record.record)


def _summaries(metrics: Metrics) -> Mapping[str, MetricSummary]:
    return cast("Mapping[str, MetricSummary]", metrics)
