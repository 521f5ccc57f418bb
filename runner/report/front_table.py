"""The table of the points that nothing beats in several objectives together, and of those that something does."""

from __future__ import annotations

from runner.report.subject import Subject
from runner.report.tables import Cell, Column, Table


def of_front(subject: Subject) -> Table | None:
    """Which points nothing beats in several objectives together; None where there is one objective."""
    if len(subject.fronted) < 3:
        return None
    titles, *every = subject.fronted
    columns = [Column(title, number=0 < place < len(titles) - 1) for place, title in enumerate(titles)]
    note = (
        "A point beats another where it is proven to be better in one objective by more than the indifference, and proven not to be worse in "
        "any other by more than that. What nothing beats is left out in at most 5 of 100 sweeps."
    )
    return Table("What nothing beats", columns, [[Cell(text) for text in texts] for texts in every], note)
