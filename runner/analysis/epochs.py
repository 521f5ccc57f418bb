"""How many epochs a trial should have, so that the time of a sweep goes to where the spread is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

# More epochs are not worth a trial: what they would find is within the trial.
MOST_EPOCHS = 20


def epochs_per_trial(trials: Sequence[Sequence[float]], trial_s: float, epoch_s: float) -> int:
    """The number of epochs with which a given time gives the narrowest interval.

    √(c_trial / c_epoch · s_w² / s_b²): what a trial costs without its epochs over what an epoch costs, times the variance within trials over that
    between them (Kalibera & Jones, Rigorous Benchmarking in Reasonable Time, 2013, section 6). Between trials the variance of their means counts,
    less what the spread within them adds to it. 1 where there is no spread within, or where it cannot be told.

    Args:
        trials: the logarithms of the values of each trial's epochs; the first rounds of a sweep.
        trial_s: what a trial takes without its timed epochs, in seconds.
        epoch_s: what an epoch takes, in seconds.
    """
    several = [trial for trial in trials if len(trial) > 1]
    if len(several) < 2 or epoch_s <= 0:
        return 1
    within = statistics.fmean(statistics.variance(trial) for trial in several)
    means = [statistics.fmean(trial) for trial in several]
    between = statistics.variance(means) - within * statistics.fmean(1 / len(trial) for trial in several)
    if within == 0:
        return 1
    if between <= 0:
        return MOST_EPOCHS
    return min(MOST_EPOCHS, max(1, round(math.sqrt(max(trial_s, 0.0) / epoch_s * within / between))))
