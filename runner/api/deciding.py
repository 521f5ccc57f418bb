"""Says which point is best, from values that another program has measured, in a table of pandas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.analysis.decision import check_question
from runner.errors import ConfigurationError
from runner.record.sweep_schema import DecisionJson, RankedRecord, ValueComparison

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = "a row for each value, with the columns point, round, value and perhaps session"


@dataclass(frozen=True)
class Decision:
    """What values that were measured elsewhere say.

    Attributes:
        answer: which point is best, by how much and how sure that is, in a sentence; or that the data do not say.
        notes: what should be known beside it.
        record: what ``runner decide --json`` prints.
    """

    answer: str
    notes: list[str]
    record: DecisionJson = field(repr=False)

    @property
    def ranking(self) -> pd.DataFrame:
        """A row for each point, the best first; the columns are those of a sweep's ``ranking``, ``value`` in the unit of the values."""
        import pandas as pd

        return pd.DataFrame(self.record["ranking"], columns=list(RankedRecord.__annotations__)).set_index("point")

    @property
    def comparisons(self) -> pd.DataFrame:
        """A row for each point but the baseline: ``ratio`` is point ÷ baseline from ``low`` to ``high``, with its ``verdict``."""
        import pandas as pd

        columns = [*ValueComparison.__annotations__]
        return pd.DataFrame(self.record["comparisons"], columns=columns).set_index("point")


def decide(
    frame: pd.DataFrame,
    *,
    more_is_better: bool,
    baseline: str | None = None,
    indifference: float = 0.05,
    raced: bool = False,
) -> Decision:
    """What a sweep with these values would say: the analysis of ``runner decide``.

    Args:
        frame: a row for each value, with the columns ``point``, ``round`` (an integer), ``value`` (above 0) and perhaps ``session``; an
            index is left out. Values of one round and session must have been measured next to each other.
        more_is_better: whether a larger value is better, such as images a second; seconds are the other way round.
        baseline: the point to compare with; by default the first.
        indifference: a point counts as good if it is at most this much below the best; 0.05 is 5 %.
        raced: whether measuring was stopped, or points dropped out, because of the results.

    Raises:
        ConfigurationError: a column is missing or unknown, a value is none, a round is there twice, or there is no such baseline.
    """
    from runner.analysis.decision import decide as decided
    from runner.analysis.elsewhere import BadFile, table

    try:
        measured = table.read(frame.to_csv(index=False))
    except BadFile as error:
        where = "frame" if error.line == 1 else f"frame, row {error.line - 2}"
        raise ConfigurationError(where, None, error.why, _COLUMNS) from None
    check_question(measured, indifference=indifference, baseline=baseline)
    decision = decided(measured, more_is_better=more_is_better, indifference=indifference, baseline=baseline, raced=raced)
    return Decision(decision.conclusion.answer["text"], list(decision.notes), decision.record())
