"""How a notebook shows a record: the head of its report, the ranking and the pictures, as one piece of HTML that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from runner.display.console import short
from runner.display.ranking import SHOWN
from runner.errors import RunnerError
from runner.outside import bytes_of

# The pictures of a report that say most, in this order; a cell has two of them.
_PICTURES = ("throughput", "ranking", "race", "speed-up")
_SHOWN_PICTURES = 2

# A larger picture would make the notebook's file large, and the report has it.
_MOST_BYTES = 150_000


def cell_of(folder: Path) -> str:
    """The HTML for the sweep or the point in this folder; nothing in it is code, or fetched."""
    from runner.record.reading import REPORT
    from runner.report.answer import answer
    from runner.report.subject import read_subject
    from runner.report.templates import templates

    template = templates("runner.api").get_template("cell.html.j2")
    try:
        subject = read_subject(folder)
    except RunnerError as error:
        return template.render(title="", answer=[str(error)], warnings=[], ranking=[], more=0, pictures=[], where=short(folder))
    report = folder / REPORT
    return template.render(
        title=subject.title,
        answer=answer(subject),
        warnings=[f"{one['message']}; {one['advice']}" for one in subject.warnings],
        ranking=subject.ranking[: SHOWN + 1],
        more=max(0, len(subject.ranking) - SHOWN - 1),
        pictures=list(_pictures(folder)),
        where=short(report if report.is_file() else folder),
    )


def _pictures(folder: Path) -> Iterator[tuple[str, str]]:
    """What a picture shows, and the picture as an address that holds it: as an image it can do nothing."""
    count = 0
    for name in _PICTURES:
        try:
            content = bytes_of(folder / f"{name}.svg", _MOST_BYTES)
        except (OSError, ValueError, RunnerError):
            continue
        yield name, f"data:image/svg+xml;base64,{base64.b64encode(content).decode('ascii')}"
        count += 1
        if count == _SHOWN_PICTURES:
            return
