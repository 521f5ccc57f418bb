"""The Universal Scalability Law, fitted to what was measured: throughput with more workers, and where it peaks.

X(N) = λ N / (1 + σ (N − 1) + κ N (N − 1)), with the contention σ (work that waits its turn) and the coherency κ (work that each pair
of workers causes). Gunther, A General Theory of Computational Scalability Based on Rational Functions (2008).

The law knows nothing of the machine: fitted to 1 to 8 workers on 8 CPUs it promises more from 16. So a prediction is never more than what the
record's bounds allow, and where the CPUs are what binds there is none for more workers than there are CPUs.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.analysis.bounds import BINDS, Bounds, bounds_of, service_s
from runner.record.factors import flattened
from runner.record.metrics import trial_metrics
from runner.record.reading import PointRecord, good_trials, value_of, workers_of

# Three parameters, and two degrees of freedom to spare: with fewer any three fit.
LEAST_COUNTS = 5

# A fit is shown where no measured throughput is further from it than this.
WORST_RESIDUAL = 0.05

# A peak further than this many times the most measured workers is not given as a number.
_FAR = 4

# How often rounds are drawn again for the intervals, and how many rounds there must be.
_DRAWS = 300
_LEAST_ROUNDS = 6


@dataclass(frozen=True)
class Estimate:
    """A value with a 95 % interval, which is None where there are too few rounds."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ceiling:
    """What a prediction may not exceed.

    Attributes:
        images_per_s: the lowest bound of the point with the most workers that more workers do not raise.
        each: the most that a worker can do, in images a second.
        cpus: how many workers can be predicted for, where the CPUs are what binds.
    """

    images_per_s: float = math.inf
    each: float = math.inf
    cpus: float = math.inf

    def under(self, workers: float, images_per_s: float) -> float | None:
        """The throughput, as far as it is possible; None where nothing can be said of that many workers."""
        return None if workers > self.cpus else min(images_per_s, self.images_per_s, workers * self.each)


@dataclass(frozen=True)
class Law:
    """A fit.

    Attributes:
        rate: λ, images a second of one worker.
        contention: σ.
        coherency: κ.
        residuals: for each number of workers, measured ÷ fitted − 1.
        peak_workers: where throughput is largest, √((1 − σ) / κ); None where it never falls again (κ = 0).
        doubling: predicted throughput with twice the most workers that were measured, ÷ that with the most; None where nothing can be said.
        good: whether no residual is larger than ``WORST_RESIDUAL``.
        ceiling: what a prediction may not exceed.
    """

    rate: Estimate
    contention: Estimate
    coherency: Estimate
    residuals: Mapping[int, float]
    peak_workers: Estimate | None
    doubling: Estimate | None
    good: bool
    ceiling: Ceiling = Ceiling()

    def fitted_at(self, workers: float) -> float:
        """Images a second by the law alone."""
        return _throughput(workers, self.rate.value, self.contention.value, self.coherency.value)

    def predicted(self, workers: float) -> float | None:
        """Images a second with that many workers: a prediction, never a measurement. None where nothing can be said."""
        return self.ceiling.under(workers, self.fitted_at(workers))


def laws(points: Sequence[PointRecord]) -> dict[str, Law]:
    """The law for each group of points that differ in their workers alone, by what they have in common; where it can be fitted."""
    groups: dict[str, dict[int, PointRecord]] = {}
    for point in points:
        config = flattened(point.record["config"])
        if _rounds(point):
            others = [f"{key}={config[key]}" for key in point.varying if key not in {"workers", "mode"} and key in config]
            groups.setdefault(" ".join([config["mode"], *others]), {})[workers_of(point.record)] = point
    fits = {
        name: fitted({workers: _rounds(point) for workers, point in group.items()}, ceiling_of(group))
        for name, group in groups.items()
        if len(group) >= LEAST_COUNTS
    }
    return {name: law for name, law in fits.items() if law is not None}


def _rounds(point: PointRecord) -> dict[int, float]:
    return {trial["round"]: rate for trial in good_trials(point) if (rate := trial_metrics(trial)["images_per_s"])}


def ceiling_of(points: Mapping[int, PointRecord]) -> Ceiling:
    """What more workers cannot exceed, by the bounds of points that differ in their workers alone."""
    most = max(points)
    largest, alone = points[most], points[min(points)]
    bounds = bounds_of(largest, alone)
    if bounds is None:
        return Ceiling()
    known = {bound.what: bound.images_per_s for bound in bounds.bounds}
    each = known.pop("workers", math.inf) / most
    # What was measured is possible, whatever a bound says that is itself measured.
    fixed = max(min(known.values(), default=math.inf), bounds.images_per_s)
    cpus = statistics.median(trial["cpus_usable"] for trial in good_trials(largest))
    return Ceiling(fixed, max(each, bounds.images_per_s / most), cpus if _takes_cpu(bounds, alone) else math.inf)


def _takes_cpu(bounds: Bounds, alone: PointRecord) -> bool:
    """Whether the CPUs are what binds: with the most workers, or because an image is hardly ever waited for."""
    cost_s, latency_s = value_of(alone, "cpu_s_per_image"), service_s(alone)
    computes = cost_s is not None and latency_s is not None and cost_s >= BINDS * latency_s
    return computes or (bounds.binding and bounds.bounds[0].what == "CPUs")


def fitted(measured: Mapping[int, Mapping[int, float]], ceiling: Ceiling = Ceiling()) -> Law | None:
    """The law for one mode; None where there are too few worker counts.

    Args:
        measured: for each number of workers, images a second by round.
        ceiling: what a prediction may not exceed.
    """
    if len(measured) < LEAST_COUNTS:
        return None
    medians = {workers: statistics.median(rounds.values()) for workers, rounds in sorted(measured.items())}
    best = _fit(medians)
    residuals = {workers: value / _throughput(workers, *best) - 1 for workers, value in medians.items()}
    drawn = _drawn_fits(measured, best)
    most = max(medians)

    def estimate(value: float, of: Any) -> Estimate:
        if not drawn:
            return Estimate(value, None, None)
        low, high = _middle_95([of(*parameters) for parameters in drawn])
        return Estimate(value, min(low, value), max(high, value))

    def doubling(*parameters: float) -> float:
        more = ceiling.under(2 * most, _throughput(2 * most, *parameters)) or 0.0
        return more / _throughput(most, *parameters)

    peak = _peak(*best)
    doubled = None if 2 * most > ceiling.cpus else estimate(doubling(*best), doubling)
    return Law(
        rate=estimate(best[0], lambda rate, *_: rate),
        contention=estimate(best[1], lambda _, contention, __: contention),
        coherency=estimate(best[2], lambda *parameters: parameters[2]),
        residuals=residuals,
        peak_workers=None if peak is None else estimate(peak, lambda *parameters: _peak(*parameters) or math.inf),
        doubling=doubled,
        ceiling=ceiling,
        good=max(map(abs, residuals.values())) <= WORST_RESIDUAL,
    )


def law_text(name: str, law: Law) -> str:
    """What the scaling law says of one mode, as the prediction that it is."""
    worst = max(map(abs, law.residuals.values()))
    if not law.good:
        return f"{name}: the scaling law does not describe it (up to {worst:.0%} off), so nothing is predicted from it"

    def shown(estimate: Estimate) -> str:
        interval = "" if estimate.low is None or estimate.high is None else f" [{estimate.low:.3g}, {estimate.high:.3g}]"
        return f"{estimate.value:.3g}{interval}"

    most = max(law.residuals)
    if law.peak_workers is not None and law.peak_workers.value <= min(_FAR * most, law.ceiling.cpus):
        peak = f"peaks at {shown(law.peak_workers)} workers"
    else:
        peak = f"does not fall within {min(_FAR * most, law.ceiling.cpus):g} workers"
    if law.doubling is None:
        more = f"for {2 * most} workers nothing is predicted, since its {law.ceiling.cpus:g} CPUs are what binds"
    else:
        more = f"{2 * most} workers instead of {most} would bring {shown(law.doubling)} times it"
    return (
        f"{name}: predicted, not measured, by the Universal Scalability Law (contention {shown(law.contention)}, coherency "
        f"{shown(law.coherency)}, at most {worst:.1%} off what was measured): throughput {peak}; {more}"
    )


def _throughput(workers: float, rate: float, contention: float, coherency: float) -> float:
    return rate * workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))


def _peak(_: float, contention: float, coherency: float) -> float | None:
    return math.sqrt(max(0.0, 1 - contention) / coherency) if coherency > 1e-9 else None


def _fit(medians: Mapping[int, float], start: tuple[float, float, float] | None = None) -> tuple[float, float, float]:
    """Least squares of the logarithms, so that every worker count weighs the same; ``start`` is a fit that is near."""
    import numpy as np
    from scipy.optimize import least_squares

    workers = np.array(list(medians), dtype=float)
    others, pairs = workers - 1, workers * (workers - 1)
    target = np.log(np.array(list(medians.values())) / workers)

    def residuals(parameters: Any) -> Any:
        log_rate, contention, coherency = parameters
        return target - log_rate + np.log(1 + contention * others + coherency * pairs)

    def jacobian(parameters: Any) -> Any:
        _, contention, coherency = parameters
        divisor = 1 + contention * others + coherency * pairs
        return np.stack([-np.ones_like(workers), others / divisor, pairs / divisor], axis=1)

    first = min(medians)
    rate, contention, coherency = start or (medians[first] / first, 0.1, 0.001)
    begin = [math.log(rate), min(max(contention, 1e-6), 1 - 1e-6), max(coherency, 1e-9)]  # within the bounds, not on them
    limits = ([-math.inf, 0, 0], [math.inf, 1, math.inf])
    fit = least_squares(residuals, begin, jac=jacobian, bounds=limits, x_scale=[1, 0.1, 0.01])
    return math.exp(fit.x[0]), float(fit.x[1]), float(fit.x[2])


def _drawn_fits(
    measured: Mapping[int, Mapping[int, float]], near: tuple[float, float, float]
) -> list[tuple[float, float, float]]:
    """Fits to rounds drawn with replacement; whole rounds, since the machine's state in a round is common to all points."""
    common = sorted(set.intersection(*(set(rounds) for rounds in measured.values())))
    if len(common) < _LEAST_ROUNDS:
        return []
    draw = random.Random(0)  # noqa: S311  (the same record, the same interval)
    fits = []
    for _ in range(_DRAWS):
        rounds = draw.choices(common, k=len(common))
        medians = {workers: statistics.median(by_round[one] for one in rounds) for workers, by_round in measured.items()}
        fits.append(_fit(medians, near))
    return fits


def _middle_95(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    cut = int(0.025 * len(ordered))
    return ordered[cut], ordered[-1 - cut]
