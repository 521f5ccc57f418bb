"""What arrives is what was made, once, in order: a model that is trained on it comes out the same in every mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.modes import modes
from support.trials import Trials

from runner.config.options import Busy, Emulated, Execution, KerasTraining, StepFunction, Tensorflow
from runner.config.registry import options
from runner.errors import TrialFailed
from runner.pipeline.consumers import emulated
from runner.pipeline.consumers.emulated import EmulatedStep

MODES = modes()


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("mode", MODES)
def test_the_loss_and_the_weights_are_the_same_bit_by_bit_in_every_mode(
    trials: Trials, known: dict[str, Any], mode: Any
) -> None:
    report = trials.report(
        mode, workers=2, items=14, epochs=2, consumer=KerasTraining(batch=4, queue=1), task=Tensorflow(size=32)
    )
    assert report.consumer is not None
    assert [list(steps.images) for steps in report.consumer.passes] == [[4, 4, 4, 2]] * 2
    outcome = dict(report.consumer.outcome)
    assert outcome == known.setdefault("outcome", outcome)
    assert len(outcome["weights"]) == 32


def test_a_model_is_trained_in_another_order_to_other_weights(trials: Trials, known: dict[str, Any]) -> None:
    """Otherwise equal weights would prove nothing about the order."""
    report = trials.report(
        options()["mode"]["sequential"](), items=14, epochs=2, consumer=KerasTraining(batch=4, queue=1),
        task=Tensorflow(size=32), images=[*reversed(trials._images)],
    )  # fmt: skip
    assert report.consumer is not None
    assert report.consumer.outcome["weights"] != known["outcome"]["weights"]


@pytest.mark.parametrize("steps", [["decode"], ["decode", "standardize"]])
def test_pictures_of_different_sizes_are_refused_by_a_graph_that_makes_batches(trials: Trials, steps: list[str]) -> None:
    task = Tensorflow(steps=steps, execution=Execution.graph)
    outcome = trials.outcome(options()["mode"]["tf_data"](), items=6, consumer=Emulated(batch=3, step_s="0.001"), task=task)
    assert isinstance(outcome.error, TrialFailed)
    assert outcome.error.kind == "RaggedResults"


def test_a_graph_makes_batches_of_what_did_not_fail(trials: Trials, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    images = [*trials._images, replace(trials._images[0], path=str(broken))]
    report = trials.report(
        options()["mode"]["tf_data"](),
        items=8,
        images=images,
        consumer=Emulated(batch=4, step_s="0.001"),
        task=Tensorflow(size=32),
    )
    assert report.consumer is not None
    assert [list(steps.images) for steps in report.consumer.passes] == [[4, 2]]
    assert len(report.epochs[0].records.failed()) == 2


def test_a_busy_step_is_as_much_work_as_took_that_long_when_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is fixed and not the time, so that a loader that takes the CPU away makes the step longer."""
    clock, done = [0.0], []

    def work(units: int) -> None:
        done.append(units)
        clock[0] += units * 0.001

    monkeypatch.setattr("runner.pipeline.consumers.emulated.time.perf_counter", lambda: clock[0])
    be_busy = emulated._working(work)
    be_busy(0.05)
    assert done[-1] == 50


@pytest.mark.parametrize("busy", list(Busy))
def test_a_step_can_be_busy_in_each_way(busy: Busy) -> None:
    EmulatedStep(Emulated(step_s="0.001", busy=busy)).step(None)


def test_steps_of_different_lengths_are_the_same_for_the_same_seed() -> None:
    one, other = (EmulatedStep(Emulated(step_s="lognormal(0.1, 0.5)")) for _ in range(2))
    drawn = [one._next_s() for _ in range(50)]
    assert drawn == [other._next_s() for _ in range(50)]
    assert min(drawn) < 0.1 < max(drawn)


def test_a_step_of_ones_own_gets_batches_and_its_failure_is_typed(trials: Trials) -> None:
    words: dict[str, Any] = {"items": 6, "task": Tensorflow(size=16)}
    good = StepFunction(function="support.my_functions:step", batch=3)
    assert trials.report(options()["mode"]["thread"](), consumer=good, **words).consumer is not None
    outcome = trials.outcome(
        options()["mode"]["thread"](), consumer=StepFunction(function="support.my_functions:absent", batch=3), **words
    )
    assert isinstance(outcome.error, TrialFailed)
    assert "consumer.function=support.my_functions:absent: support.my_functions has no absent" in str(outcome.error)
