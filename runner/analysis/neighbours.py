"""The machine's drift within long rounds, estimated from each trial's neighbours in time and taken out.

Rounds cancel what the machine does from one round to the next. A round of a hundred points lasts longer than that: two points of it are then
as far apart as two sessions. What the trials next to one came to, beyond what their own points usually do, is the state of the machine at
that moment (Papadakis, 1937; Wilkinson et al., 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.analysis.readings import Key, Reading, Readings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How many trials on either side are looked at; rounds that are no longer than both sides together are left as they are.
REACH = 6
LONG = 2 * REACH

# The points' means and the neighbours' residuals depend on each other: after a few turns they change no more.
_TURNS = 4


def without_drift(points: Sequence[Readings]) -> list[Readings]:
    """The readings of points that were measured in the same rounds, with the drift within long rounds taken out.

    z = y − b · m, with m the mean of y − θ̂ (of each trial's own point) over the ``REACH`` trials on either side in the same block, its own left
    out; θ̂ is the mean of the point's z, and begins as that of its distances from the rounds' means. b, from 0 to 1, is the slope of y − θ̂ over m
    within the rounds: where there is no drift it is 0, and nothing is changed (the neighbours as a covariate, as Papadakis had it).
    """
    if len(points) <= LONG or not any(points):
        return list(points)
    import numpy as np

    trials = sorted(
        (key.session, key.round, reading.order, number, reading.log)
        for number, readings in enumerate(points)
        for key, reading in readings.items()
    )
    sessions, rounds, owners = ([trial[part] for trial in trials] for part in (0, 1, 3))
    logs, owner = np.array([trial[4] for trial in trials]), np.array(owners)
    blocks = np.unique(sessions, return_inverse=True)[1]
    whole = np.unique(np.stack([blocks, np.array(rounds)]), axis=1, return_inverse=True)[1].reshape(-1)
    size = np.bincount(whole)

    def within(values: NDArray[np.float64]) -> NDArray[np.float64]:
        centred: NDArray[np.float64] = values - (np.bincount(whole, values) / size)[whole]
        return centred

    corrected = within(logs)
    count = np.maximum(np.bincount(owner, minlength=len(points)), 1)
    first, last = np.searchsorted(blocks, blocks, "left"), np.searchsorted(blocks, blocks, "right")
    places = np.arange(len(logs))
    begin, end = np.maximum(places - REACH, first), np.minimum(places + REACH + 1, last)
    for _ in range(_TURNS):
        usual = np.bincount(owner, corrected, minlength=len(points)) / count
        beyond = logs - usual[owner]
        upto = np.concatenate([[0.0], np.cumsum(beyond)])
        near = (upto[end] - upto[begin] - beyond) / np.maximum(end - begin - 1, 1)
        alike = within(near)
        slope = float(alike @ within(beyond) / (alike @ alike)) if np.any(alike) else 0.0
        corrected = logs - min(1.0, max(0.0, slope)) * near
    result: list[dict[Key, Reading]] = [{} for _ in points]
    for (session, number, order, one, _), value in zip(trials, corrected.tolist(), strict=True):
        result[one][Key(session, number)] = Reading(value, order)
    return list(result)
