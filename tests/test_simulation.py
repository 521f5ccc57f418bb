"""The rules that are simulated are those of the program, and the machines do what they are said to do."""

from __future__ import annotations

import numpy as np
import pytest
from machines import MACHINES, Machine, sweeps
from rules import behind, raced, recommended, verdicts, without_drift
from support.values import THROUGHPUT, candidates, readings

from runner.analysis.best import moments, standing
from runner.analysis.conclusion import conclude
from runner.analysis.neighbours import without_drift as program_without_drift
from runner.analysis.racing import Rules, race
from runner.analysis.readings import Key, Reading, differences
from runner.analysis.verdicts import Comparison, in_family, paired

TRUTH = np.array([0.0, 0.0, -0.02, -0.1, 0.06, -0.3, -0.01])


@pytest.mark.parametrize("name", MACHINES)
def test_simulated_rules_are_the_programs(name: str) -> None:
    logs = sweeps(MACHINES[name], TRUTH, 12, 6, np.random.default_rng(1)).logs
    bounds, said, run = behind(logs), verdicts(logs), raced(logs, 0.05)
    taken = recommended(bounds, np.arange(7.0, 0, -1)[None, :].repeat(6, 0), 0.05)
    for number, sweep in enumerate(logs):
        assert bounds[number] == pytest.approx(standing(moments(sweep)).behind)
        found = conclude(candidates(sweep, cpu=np.arange(7.0, 0, -1)), THROUGHPUT)
        assert found.recommended == "abcdefg"[taken[number]]
        begun = [Comparison(str(place), "a", "images_per_s", None) for place in range(6)]
        gaps = [differences(readings(sweep[:, place + 1]), readings(sweep[:, 0])) for place in range(6)]
        judged = in_family(paired(begun, gaps, 6), 6)
        for verdict in ("faster", "slower", "same"):
            assert [one.verdict == verdict for one in judged] == getattr(said, verdict)[number].tolist()
        one = race(sweep, Rules(0.05))
        assert (one.looks[-1].round, one.looks[-1].leader, one.over) == (
            run.rounds[number],
            run.leader[number],
            run.over[number],
        )
        assert one.looks[-1].bound == pytest.approx(run.bound[number])
        assert sorted(one.out) == np.flatnonzero(run.out[number]).tolist()
        assert run.trials[number] == 7 + sum(len(look.inside) for look in one.looks[:-1])


def test_the_simulated_correction_for_drift_is_the_programs() -> None:
    measured = sweeps(MACHINES["drift"], np.zeros(20), 5, 2, np.random.default_rng(1))
    corrected = without_drift(measured)
    for number in range(2):
        points = [
            {
                Key("s", place): Reading(float(measured.logs[number, place, point]), int(measured.orders[number, place, point]))
                for place in range(5)
            }
            for point in range(20)
        ]
        for point, values in enumerate(program_without_drift(points)):
            assert [reading.log for reading in values.values()] == pytest.approx(corrected[number, :, point])


def test_machines_spoil_measurements_as_they_are_said_to() -> None:
    def spread(machine: Machine) -> float:
        return float(sweeps(machine, np.zeros(4), 50, 40, np.random.default_rng(1)).logs.std())

    assert spread(MACHINES["quiet"]) == pytest.approx(0.05, rel=0.05)
    assert spread(MACHINES["drift"]) == pytest.approx(np.hypot(0.05, 0.06), rel=0.1)
    assert spread(MACHINES["heavy tails"]) == pytest.approx(0.05, rel=0.2)
    assert spread(MACHINES["neighbour"]) > 0.07
    logs = sweeps(Machine(noise=0.01, drift=0.05, span=4), np.zeros(1), 200, 40, np.random.default_rng(1)).logs[:, :, 0]
    after = np.mean([np.corrcoef(one[:-4], one[4:])[0, 1] for one in logs])
    assert after == pytest.approx(np.exp(-1), abs=0.08)
