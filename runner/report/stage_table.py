"""The table of the stages of points whose backend says what each took."""

from __future__ import annotations

from runner.record.reading import median_trial
from runner.record.stages import slowest_stage, stages_of
from runner.report.subject import Subject
from runner.report.tables import Cell, Column, Table


def of_stages(subject: Subject) -> Table | None:
    """The stages of each such point in the trial in the middle; None without any."""
    rows = []
    for point in subject.shown_in_detail:
        trial = median_trial(point.record)
        if trial is None:
            continue
        slowest = slowest_stage(trial)
        for place, stage in enumerate(stages_of(trial)):
            buffer = "-" if stage["buffer"] is None else str(stage["buffer"])
            figures = [str(stage["parallel_calls"]), buffer, f"{stage['ms_per_image']:.3g}", f"{stage['busy_pct']:.0f}"]
            name = Cell(f"{stage['stage']}, the slowest", "worse") if stage == slowest else Cell(stage["stage"])
            rows.append([Cell("" if place else point.label), name, *map(Cell, figures)])
    if not rows:
        return None
    columns = [Column("point"), Column("stage")]
    columns += [Column(title, number=True) for title in ("calls at a time", "buffer", "ms an image", "busy %")]
    note = (
        "Calls at a time and the buffer, in results or batches, are the last that TensorFlow or the user chose. The slowest stage is the one with the most "
        "milliseconds an image for each of its calls; where it is busy for little of the time, whoever takes the results is slower."
    )
    return Table("The stages of tf.data", columns, rows, note)
