"""What a consumer may be, and what a point with one says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.composing import composed
from support.made_records import good_trial
from support.points import point
from support.program import Program

from runner.analysis.input_bound import input_record
from runner.analysis.needs import needs_of
from runner.analysis.verdicts import better_if_more
from runner.analysis.warnings.settings import brought_back
from runner.config.metrics import CONSUMER_METRICS
from runner.config.options import BatchesOption, Emulated, Loky, NoConsumer, Process, Returns, StepTime, Thread
from runner.config.plain import config_hash
from runner.config.words import as_hydra_reads
from runner.errors import ConfigurationError
from runner.sweeps.consuming import batching_of, handing_over


def test_a_configuration_without_a_consumer_has_the_hash_that_it_had_before_there_were_any() -> None:
    assert config_hash(composed("consumer=none", "images=15")) == config_hash(composed("images=15")) == "8fe38bd674edcd2a"
    assert config_hash(composed("consumer=emulated", "images=15")) != "8fe38bd674edcd2a"


@pytest.mark.parametrize(
    ("words", "median_s", "sigma"), [("0.25", 0.25, 0.0), ("1e-3", 0.001, 0.0), ("lognormal(0.1, 0.5)", 0.1, 0.5)]
)
def test_a_step_takes_a_number_of_seconds_or_one_that_is_drawn(words: str, median_s: float, sigma: float) -> None:
    (choice,) = as_hydra_reads([f"consumer.step_s={words}"])
    consumer = composed("consumer=emulated", choice).consumer
    assert isinstance(consumer, Emulated)
    assert StepTime.of(consumer.step_s) == StepTime(median_s, sigma)


def test_steps_that_are_drawn_can_be_swept() -> None:
    words = as_hydra_reads(["consumer.step_s=0.1,lognormal(0.1,0.2)", "-m"])
    assert words == ["-m", "consumer.step_s=0.1,'lognormal(0.1,0.2)'"]


@pytest.mark.parametrize("words", ["0", "-1", "soon", "lognormal(0.1)", "lognormal(0.1,9)", "4000"])
def test_a_step_that_takes_no_time_or_for_ever_is_refused(words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"consumer\.step_s"):
        composed("consumer=emulated", f"consumer.step_s='{words}'")


@pytest.mark.parametrize(("name", "step_s"), [("h100_resnet50", 0.224), ("a100_resnet50", 0.435)])
def test_an_accelerator_by_name_is_its_batch_and_the_time_of_its_step(name: str, step_s: float) -> None:
    consumer = composed(f"consumer={name}").consumer
    assert isinstance(consumer, Emulated)
    assert (consumer.batch, StepTime.of(consumer.step_s)) == (400, StepTime(step_s))


@pytest.mark.parametrize("metric", CONSUMER_METRICS)
def test_what_only_a_consumer_has_is_an_objective_only_where_there_is_one(metric: str) -> None:
    assert composed("consumer=emulated", f"objective={metric}").objective == metric
    with pytest.raises(ConfigurationError, match="is measured only where there is a consumer"):
        composed(f"objective={metric}")


def test_a_race_knows_which_way_is_better() -> None:
    assert better_if_more("accelerator_utilization_pct")
    assert not better_if_more("step_wait_ms")


def test_worker_processes_bring_results_back_where_somebody_takes_them(tmp_path: Path) -> None:
    brought = handing_over(Process())
    assert isinstance(brought, Process)
    assert brought.returns is Returns.shared_memory
    assert handing_over(Process(returns=Returns.pickle)) == Process(returns=Returns.pickle)
    assert handing_over(Thread()) == Thread()
    assert handing_over(Loky()) == Loky()
    subject = point(tmp_path / "fed", mode=Process(), consumer=Emulated())
    found = brought_back(subject.facts())
    assert found is not None
    assert "mode.returns=shared_memory" in found.message
    assert brought_back(point(tmp_path / "not_fed", mode=Process()).facts()) is None


def test_nobody_takes_batches_where_there_is_no_consumer() -> None:
    assert batching_of(NoConsumer()) is None
    batching = batching_of(BatchesOption(batch=7, queue=3))
    assert batching is not None
    assert (batching.size, batching.queue, batching.kept) == (7, 3, True)


def test_batches_count_as_memory_that_a_trial_needs(tmp_path: Path) -> None:
    alone, fed = point(tmp_path / "alone"), point(tmp_path / "fed", consumer=BatchesOption(batch=100, queue=2))
    more_bytes = needs_of(fed.planned).memory_base_bytes - needs_of(alone.planned).memory_base_bytes
    assert more_bytes == (2 + 2) * 100 * 224 * 224 * 3 * 4


def test_a_point_has_the_consumers_metrics_only_where_there_was_one(tmp_path: Path) -> None:
    subject = point(tmp_path / "point")
    subject.trials = [good_trial()]
    assert not set(CONSUMER_METRICS) & set(subject.metrics)
    assert input_record(subject.trials) is None


def test_a_run_with_a_consumer_says_whether_it_waits_for_its_input(program: Program) -> None:
    words = ["consumer=emulated", "consumer.batch=2", "consumer.step_s=0.0001", "task=pillow", "images=8", "workers=2"]
    answer = program(*words, "mode=process", "protocol=once", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    assert "Input: highly input-bound: " in answer.stdout
    assert "would feed it, see plan" in answer.stdout
    (path,) = (program.folder / "outputs" / "runs").glob("*/*/result.json")
    record = json.loads(path.read_text())
    assert record["input"]["verdict"] == "highly input-bound"
    assert record["metrics"]["steps_per_s"]["value"] > 0
    assert record["config"]["mode"]["returns"] == "digest"
    (epoch,) = record["trials"][0]["consumer"]["epochs"]
    assert (epoch["steps"], epoch["images"], epoch["steps_left_out"]) == (4, 8, 1)
    assert [one["kind"] for one in record["warnings"] if one["kind"] == "brought_back"]


def test_a_record_that_names_a_step_is_repeated_only_where_it_is_named_again(program: Program) -> None:
    (program.folder / "mine.py").write_text("def f(batch): return batch.shape\n")
    words = ["consumer=function", "consumer.function=mine:f", "consumer.batch=2", "task=pillow", "images=4", "workers=1"]
    answer = program(*words, "protocol=once", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    (program.folder / "mine.py").write_text("open('has_run', 'w').close()\n\ndef f(batch): return batch.shape\n")
    refused = program("rerun", str(folder))
    assert refused.returncode == 1
    assert refused.stderr.startswith("consumer.function='mine:f': is code named by the record"), refused.stderr
    assert not (program.folder / "has_run").exists()
    answer = program("rerun", str(folder), "--allow", "import")
    assert answer.returncode == 0, answer.stderr
    assert (program.folder / "has_run").exists()
