"""What the program says of its sweeps, each claim held against simulated ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from machines import MACHINES, Array, Machine, sweeps
from numpy.typing import NDArray
from rules import behind, raced, recommended, verdicts, without_drift

from runner.analysis.capacity import Job, machines_for, mean_seconds
from runner.analysis.change_points import changes
from runner.analysis.correlation import follows_itself
from runner.analysis.gating import bounds
from runner.analysis.sessions import LEAST_SESSIONS
from runner.analysis.statistics import ALPHA, paired_ratio, rounds_to_settle, t_quantile
from runner.analysis.stopping import LEAST_ROUNDS, half_width
from runner.analysis.verdicts import INCONCLUSIVE, verdict_on

INDIFFERENCE = 0.05
WITHIN = math.log1p(INDIFFERENCE)


@dataclass(frozen=True)
class Found:
    """How often something happened.

    Attributes:
        claim: what is counted.
        setting: points, rounds and machine.
        hits, of: in how many of how many sweeps.
        promised: what the program promises.
        note: a mean, where one is of interest.
    """

    claim: str
    setting: str
    hits: int
    of: int
    promised: str
    note: str = ""


def surface(points: int) -> Array:
    """Points that differ as modes and numbers of workers do: the logarithm of throughput, the best 0."""
    places = np.arange(points)
    return -np.array(np.abs(places % 5 - 2) * 0.25 + places // 5 * 0.15 * 4 / max(1, points // 5), dtype=float)


def exponential(points: int) -> Array:
    """Points whose distances from the best are exponential, a quarter on average."""
    behind_best = -0.25 * np.log(1 - (np.arange(points) + 0.5) / points)
    return -np.array(behind_best - behind_best.min(), dtype=float)


def hardest(points: int) -> Array:
    """All points but the first are just more than the indifference below it."""
    truth = np.full(points, -WITHIN - 0.001)
    truth[0] = 0.0
    return truth


def of_the_best(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """The recommendation, and the bound below the best."""
    for points, rounds in ((6, 8), (20, 8), (20, 10), (20, 20), (20, 40)):
        truth = exponential(points)
        costs = {"slower is cheaper": 1 + truth, "cost unrelated": draw.permutation(points).astype(float)}
        measured = sweeps(Machine(), truth, rounds, count, draw)
        bounds = behind(measured.logs)
        for name, cost in costs.items():
            taken = recommended(bounds, np.broadcast_to(cost, bounds.shape), INDIFFERENCE)
            bad = int((truth[taken] < -WITHIN).sum())
            proven = float((bounds[np.arange(count), taken] <= WITHIN).mean())
            setting = f"{points} points × {rounds}, 5 % noise, {name}"
            yield Found(
                "recommends a point > 5 % below the best", setting, bad, count, "≤ 5 % where proven", f"proven {proven:.0%}"
            )
            false = int(((truth[taken] < -WITHIN) & (bounds[np.arange(count), taken] <= WITHIN)).sum())
            yield Found("calls such a point as good", setting, false, count, "≤ 5 %")
    for name, machine in MACHINES.items():
        truth = exponential(20)
        bounds = behind(sweeps(machine, truth, 10, count, draw).logs)
        broken = int((bounds < -truth - 1e-9).any(1).sum())
        yield Found("any bound below the best is broken", f"20 points × 10, {name}", broken, count, "≤ 5 %")


def of_the_baseline(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Verdicts against the baseline: false ones in any of the points, and how often a difference is found."""
    for name, machine in MACHINES.items():
        said = verdicts(sweeps(machine, np.zeros(20), 8, count, draw).logs)
        false = int((said.faster | said.slower).any(1).sum())
        yield Found("a false difference among equal points", f"20 points × 8, {name}", false, count, "≤ 5 %")
    for points, rounds, noise in (
        (2, 8, 0.05),
        (8, 8, 0.05),
        (20, 8, 0.03),
        (20, 8, 0.05),
        (20, 8, 0.10),
        (60, 8, 0.05),
        (120, 8, 0.05),
    ):
        truth = np.zeros(points)
        truth[1:] = np.where(np.arange(points - 1) % 2, math.log(1.1), 0.0)
        truth[1] = math.log(1.1)
        said = verdicts(sweeps(Machine(noise=noise), truth, rounds, count, draw).logs)
        setting = f"{points} points × {rounds}, {noise:.0%} noise, every other 10 % faster"
        promised = "> 55 %" if (points, noise) == (20, 0.05) else ""
        yield Found("finds a difference of 10 %", setting, int(said.faster[:, 0].sum()), count, promised)
        yield Found(
            "a false one among the equal",
            setting,
            int((said.slower | (said.faster & (truth[1:] == 0))).any(1).sum()),
            count,
            "≤ 5 %",
        )

    truth = np.zeros(20)
    truth[1] = math.log(1.1)
    for name, machine in MACHINES.items():
        said = verdicts(sweeps(machine, truth, 8, count, draw).logs)
        promised = "> 55 %" if name == "quiet" else ""
        yield Found(
            "finds a difference of 10 %",
            f"20 points × 8, one 10 % faster, {name}",
            int(said.faster[:, 0].sum()),
            count,
            promised,
        )


def of_drift(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Drift within long rounds: with the neighbours' correction and without it."""
    few = max(100, count // 10)
    for points in (20, 60, 120):
        truth = np.zeros(points)
        truth[1] = math.log(1.1)
        for name in ("quiet", "drift", "everything"):
            measured = sweeps(MACHINES[name], truth, 15, few, draw)
            for how, logs in (("as measured", measured.logs), ("corrected", without_drift(measured))):
                said = verdicts(logs)
                setting = f"{points} points × 15, {name}, {how}"
                yield Found("finds a difference of 10 %", setting, int(said.faster[:, 0].sum()), few, "")
                wrong = said.faster[:, 1:] | said.slower[:, 1:]
                yield Found("a false difference among the equal", setting, int(wrong.any(1).sum()), few, "≤ 5 %")


def of_races(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Races: wrong leaders, the best dropped, and what they take."""
    few = max(100, count // 4)
    for points in (6, 20):
        for name, machine in MACHINES.items():
            run = raced(sweeps(machine, hardest(points), 60, few, draw).logs, INDIFFERENCE)
            setting = f"{points} points, all others just over 5 % below, {name}"
            wrong = int(((run.leader != 0) & run.over).sum())
            trials = f"{run.trials.mean():.0f} trials, over in {run.over.mean():.0%}"
            yield Found("race: the wrong leader", setting, wrong, few, "≤ 5 %", trials)
            run = raced(sweeps(machine, np.zeros(points), 30, few, draw).logs, INDIFFERENCE)
            yield Found("race: the best dropped", f"{points} equal points, {name}", int(run.out[:, 0].sum()), few, "≤ 5 %")
    for points, truth, noise in (
        (20, surface(20), 0.02),
        (20, surface(20), 0.05),
        (20, exponential(20), 0.02),
        (20, exponential(20), 0.05),
        (20, exponential(20), 0.10),
        (120, surface(120), 0.05),
    ):
        many = few if points < 100 else 60
        spread = "surface" if truth[1] - truth[0] > 0 else "exponential"
        for how, machine in (("", Machine(noise=noise)), (", everything at once", MACHINES["everything"])):
            if how and noise != 0.05:
                continue
            run = raced(sweeps(machine, truth, 120, many, draw).logs, INDIFFERENCE)
            wrong = int(((truth[run.leader] < truth.max() - WITHIN) & run.over).sum())
            ninth = np.quantile(run.trials, 0.9)
            note = f"{run.trials.mean():.0f} trials (9 of 10 in {ninth:.0f}), {run.rounds.mean():.1f} rounds, over in {run.over.mean():.0%}"
            yield Found(
                "race: the wrong leader", f"{points} points, {spread}, {noise:.0%} noise{how}", wrong, many, "≤ 5 %", note
            )


def of_gates(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Gates: what is said wrongly at the limit itself, and what is found, in how many rounds, away from it."""
    at = math.log(0.95)
    for name, machine in MACHINES.items():
        gated = _gated(sweeps(machine, np.array([0.0, at]), 60, count, draw).logs, at)
        for verdict, said in (("worse", gated.worse), ("not worse", gated.not_worse)):
            yield Found(f"gate: says «{verdict}» at the limit", f"60 rounds, {name}", int(said.sum()), count, "≤ 5 %")
    for limit in (0.95, 0.975):
        for noise in (0.01, 0.02, 0.03, 0.05):
            for ratio in (1.0, 0.95) if limit > 0.95 else (1.0, 0.9):
                logs = sweeps(Machine(noise=noise), np.array([0.0, math.log(ratio)]), 60, count, draw).logs
                gated = _gated(logs, math.log(limit))
                found, false = (gated.not_worse, gated.worse) if ratio == 1 else (gated.worse, gated.not_worse)
                note = f"half within {np.median(gated.rounds):.0f} rounds, 9 of 10 within {np.quantile(gated.rounds, 0.9):.0f}"
                setting = f"limit {limit}, truth {ratio}, {noise:.0%} noise, 60 rounds"
                promised = "≥ 95 %" if noise <= 0.02 else ""
                yield Found("gate: finds what is true", setting, int(found.sum()), count, promised, note)
                yield Found("gate: says the opposite", setting, int(false.sum()), count, "≤ 5 %")


@dataclass(frozen=True)
class Gated:
    """How gates came out: what each said, and after how many rounds it ended."""

    worse: NDArray[np.bool_]
    not_worse: NDArray[np.bool_]
    rounds: NDArray[np.int64]


def _gated(logs: Array, limit: float) -> Gated:
    """Gates of two points, old and new, by the program's own bounds; ``limit`` is the logarithm of new ÷ old."""
    low, high = bounds(logs[..., 1] - logs[..., 0], ALPHA)
    proven = (low > limit) | (high < limit)
    ended = np.where(proven.any(1), proven.argmax(1), logs.shape[1] - 1)
    each = np.arange(len(logs))
    return Gated(high[each, ended] < limit, low[each, ended] > limit, ended + 1)


def of_plans(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Machines that are named for a deadline, and are late."""
    images, deadline_s = 1e9, 24 * 3600.0
    for what, differ, chosen in (
        ("machines alike", 0.0, 1),
        ("machines differ by 5 %", 0.05, 1),
        ("the best of 20 equal points", 0.0, 20),
        ("the best of 20, machines differ by 5 %", 0.05, 20),
    ):
        late = 0
        for _ in range(count):
            seconds = 0.01 * np.exp(draw.normal(0, 0.05, (chosen, 8)) + 0.1 * (draw.random((chosen, 8)) < 0.3))
            best = seconds[seconds.mean(1).argmin()]
            mean = mean_seconds(best.tolist(), chosen)
            job = Job(images, deadline_s, machines_differ=differ, chosen_from=chosen)
            machines = machines_for(job, 0.0, mean.high or mean.value)
            truth = 0.01 * math.exp(0.05**2 / 2) * (0.7 + 0.3 * math.exp(0.1))
            # The slowest of so many machines, drawn at once.
            slowest = 1 + statistics.NormalDist().inv_cdf(max(draw.random(), 1e-12) ** (1 / machines)) * differ
            late += images / machines * truth * slowest > deadline_s
        yield Found("the named machines are late", f"8 bimodal rounds, {what}", late, count, "≤ 5 %")


def of_sessions(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Equal points whose ratio differs from session to session by 5 %: rounds taken together, and a mean for each session."""
    for sessions, rounds in ((3, 8), (5, 8), (5, 30), (10, 8)):
        gaps = draw.normal(0, 0.05, (count, sessions, 1)) + draw.normal(0, 0.05, (count, sessions, rounds))
        for how, values in (("rounds taken together", gaps.reshape(count, -1)), ("one mean for each session", gaps.mean(2))):
            n = values.shape[1]
            outside = np.abs(values.mean(1)) > t_quantile(0.975, n - 1) * values.std(1, ddof=1) / np.sqrt(n)
            promised = "5 %" if n == sessions >= LEAST_SESSIONS else ""
            yield Found(
                "the interval misses the long-run ratio",
                f"{sessions} sessions × {rounds}, {how}",
                int(outside.sum()),
                count,
                promised,
            )


def of_one_session(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """A neighbour that slows one of two points only, and outlasts the rounds: what a session cannot know, and what is noticed of it."""
    # Slower by 10 % half of the time, faster by 5 % itself: the long-run ratio is 1.
    logs = sweeps(Machine(noise=0.03, of_one=0.1), np.array([0.0, 0.05]), 20, count, draw).logs
    gaps = logs[:, :, 1] - logs[:, :, 0]
    said = verdicts(logs)
    wrong = (said.faster | said.slower)[:, 0]
    noticed = np.array([follows_itself(one.tolist()) for one in gaps])
    yield Found(
        "a verdict against a long-run ratio of 1", "2 points × 20, one slowed half of the time", int(wrong.sum()), count, ""
    )
    yield Found(
        "correlation is noticed",
        "the same",
        int(noticed.sum()),
        count,
        "",
        f"of those with a verdict {noticed[wrong].mean():.0%}",
    )
    quiet = sweeps(Machine(noise=0.03), np.zeros(2), 20, count, draw).logs
    false = sum(follows_itself((one[:, 1] - one[:, 0]).tolist()) for one in quiet)
    yield Found("correlation is noticed", "2 points × 20, quiet", int(false), count, "about 5 %")


def apart(machine: Machine, rounds: int, count: int, draw: np.random.Generator) -> Array:
    """Sweeps that measured one point after an equal one: whether a pooled t finds them different, as 0 or 1."""
    logs = sweeps(machine, np.zeros(1), 2 * rounds, count, draw).logs[:, :, 0]
    first, second = logs[:, :rounds], logs[:, rounds:]
    error = np.sqrt((first.var(1, ddof=1) + second.var(1, ddof=1)) / rounds)
    found: Array = (np.abs(first.mean(1) - second.mean(1)) > t_quantile(0.975, 2 * rounds - 2) * error).astype(float)
    return found


def of_others(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """What people do otherwise: all trials of one point, then all of the next."""
    for name in ("quiet", "drift", "neighbour", "everything"):
        found = int(apart(MACHINES[name], 8, count, draw).sum())
        yield Found("a false difference, point after point, pooled t", f"2 equal points × 8, {name}", found, count, "")


def of_rounds(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """The rounds that are named to settle a comparison, and stopping on precision."""
    few = max(200, count // 4)
    settled = asked = 0
    for _ in range(few):
        gaps = draw.normal(math.log(1.04), 0.03 * math.sqrt(2), 8)
        first = paired_ratio(gaps.tolist())
        needed = rounds_to_settle(first)
        if verdict_on(first, more_is_better=True) == INCONCLUSIVE and needed is not None and needed <= 100:
            more = paired_ratio(draw.normal(math.log(first.ratio), first.sd, needed).tolist())
            asked += 1
            settled += verdict_on(more, more_is_better=True) != INCONCLUSIVE
    yield Found("the named rounds settle it", "were the rest like the first 8", settled, asked, "about 80 %")
    for noise in (0.02, 0.03, 0.04):
        missed = 0
        for _ in range(few):
            gaps = draw.normal(0, noise * math.sqrt(2), 60).tolist()
            done = next((n for n in range(LEAST_ROUNDS, 60) if half_width(paired_ratio(gaps[:n])) <= 0.02), 60)
            ratio = paired_ratio(gaps[:done])
            missed += not ratio.low <= 1 <= ratio.high
        yield Found("rigorous: the interval misses", f"2 points, {noise:.0%} noise, until ± 2 %", missed, few, "5 %")


def of_histories(count: int, draw: np.random.Generator) -> Iterator[Found]:
    """Series of 40 runs: changes that are none, and where a step of 5 % is placed."""
    few = max(100, count // 10)
    for name, noise in (
        ("normal", draw.standard_normal((few, 40))),
        ("Student's t, 3", draw.standard_t(3, (few, 40)) / math.sqrt(3)),
    ):
        series = 100 * (1 + 0.02 * noise)
        false = sum(bool(changes(one)) for one in series.tolist())
        yield Found("history: a change where there is none", f"40 runs, 2 % noise, {name}", false, few, "≤ 2 %")
        places = draw.integers(10, 31, few)
        series[np.arange(40) >= places[:, None]] *= 0.95
        found = [changes(one) for one in series.tolist()]
        near = sum(any(abs(one.at - place) <= 2 for one in each) for each, place in zip(found, places, strict=True))
        more = sum(len(each) > 1 for each in found)
        promised = "≥ 90 %" if name == "normal" else ""
        yield Found(
            "history: a step of 5 % is placed within two runs",
            f"40 runs, 2 % noise, {name}",
            near,
            few,
            promised,
            f"more than one in {more}",
        )


CLAIMS = {
    "best": of_the_best,
    "baseline": of_the_baseline,
    "race": of_races,
    "gate": of_gates,
    "history": of_histories,
    "drift": of_drift,
    "plan": of_plans,
    "sessions": of_sessions,
    "one session": of_one_session,
    "rounds": of_rounds,
    "others": of_others,
}
