"""Every sink that is registered answers the same questions: a new one is asked them as soon as it is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from support.composing import composed
from support.examples import Example, examples
from support.fresh_process import TensorflowImported, in_fresh_process
from support.sending import UNSENDABLE, opened, sent, sent_by_threads

from runner.config.options import SinkOption
from runner.config.plain import plain
from runner.config.restore import choices_of
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks import Destination, Sent

SINKS = examples("sink")
ITEMS, PASSES = 12, 2


@pytest.fixture
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SinkOption]:
    example: Example = request.param
    with ExitStack() as stack:
        yield cast("SinkOption", example.option(tmp_path, stack))


@pytest.fixture
def destination(sink: SinkOption, tmp_path: Path) -> Iterator[Destination]:
    folder = tmp_path / "point"
    folder.mkdir()
    destination: Destination = sink.provided().destination(sink, folder, "point")
    yield destination
    destination.close()


@pytest.mark.parametrize("sink", SINKS, indirect=True)
def test_it_composes_from_its_choices_and_its_check_accepts_it(sink: SinkOption) -> None:
    assert composed(*choices_of({"sink": plain(sink)})).sink == sink


@pytest.mark.parametrize("sink", SINKS, indirect=True)
def test_what_threads_and_workers_send_at_the_same_time_arrives_once_in_every_pass(
    sink: SinkOption, destination: Destination
) -> None:
    passes = sent_by_threads(destination.config, ITEMS, PASSES, workers=2)
    delivery = destination.check(passes, ITEMS)
    assert [of_pass.failed for of_pass in passes] == [frozenset()] * PASSES
    if delivery is None:  # nothing is sent, and so the sink says
        assert [of_pass.receipt for of_pass in passes] == [Receipt()] * PASSES
        return
    assert delivery.problem is None
    assert delivery.sent == ITEMS * PASSES
    assert delivery.checked
    if delivery.received is not None:
        assert (delivery.received, delivery.duplicates, delivery.unacknowledged) == (ITEMS * PASSES, 0, 0)


@pytest.mark.parametrize("sink", SINKS, indirect=True)
@pytest.mark.parametrize("lie", ["more than there is", "another content"])
def test_what_arrived_otherwise_than_it_was_sent_is_a_problem_where_the_sink_reads_it_back(
    sink: SinkOption, destination: Destination, lie: str
) -> None:
    (of_pass,) = sent_by_threads(destination.config, ITEMS, 1, workers=1)
    more = lie == "more than there is"
    receipt = of_pass.receipt + (Receipt(1, 1, 8) if more else Receipt(0, 1, 0))
    delivery = destination.check([dataclasses.replace(of_pass, receipt=receipt)], ITEMS + more)
    if delivery is None or delivery.received is None:
        pytest.skip("what arrives cannot be looked at")
    assert delivery.problem is not None


@pytest.mark.parametrize("sink", SINKS, indirect=True)
def test_a_result_that_cannot_be_sent_is_the_failure_of_its_image_alone(sink: SinkOption, destination: Destination) -> None:
    passes = [sent(destination.config, range(ITEMS), unsendable=True)]
    delivery = destination.check(passes, ITEMS)
    if delivery is None:
        assert passes[0].failed == frozenset()
        return
    assert passes[0].failed == {UNSENDABLE}
    assert (delivery.problem, delivery.sent) == (None, ITEMS - 1)


@pytest.mark.parametrize("sink", SINKS, indirect=True)
def test_a_process_that_is_spawned_sends_too_and_the_option_says_whether_it_imports_tensorflow(
    sink: SinkOption, destination: Destination
) -> None:
    try:
        there: Sent = in_fresh_process(sent, destination.config, range(0, ITEMS, 2))
    except TensorflowImported:
        assert sink.uses_tensorflow
        return
    assert not sink.uses_tensorflow
    here = sent(destination.config, range(1, ITEMS, 2))
    delivery = destination.check([Sent(here.failed | there.failed, here.receipt + there.receipt)], ITEMS)
    assert delivery is None or (delivery.problem, delivery.sent) == (None, ITEMS)


@pytest.mark.parametrize("sink", SINKS, indirect=True)
@pytest.mark.parametrize("does", ["send", "nothing", "stop halfway"])
def test_nothing_is_left_running_open_or_half_written_when_it_is_closed(sink: SinkOption, tmp_path: Path, does: str) -> None:
    folder = tmp_path / "point"
    folder.mkdir()
    sent_before(sink, tmp_path)
    before = state()
    destination = sink.provided().destination(sink, folder, "point")
    opened_sink = opened(destination.config)
    if does != "nothing":
        opened_sink.begin(0)
        opened_sink.put(1, 1)
    if does == "send":
        opened_sink.end()
    opened_sink.close()
    opened_sink.close()
    destination.close()
    assert state() == before
    there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert not [path for path in there if path.name.startswith(".") or path.suffix in {".part", ".tmp"}]


def sent_before(sink: SinkOption, tmp_path: Path) -> None:
    """What a first use imports and opens for good is not what is looked for."""
    (tmp_path / "before").mkdir()
    destination = sink.provided().destination(sink, tmp_path / "before", "before")
    sent(destination.config, range(2))
    destination.close()


def state() -> Any:
    """The children, open files and connections of this process."""
    process = psutil.Process()
    return (
        sorted(child.pid for child in process.children(recursive=True)),
        sorted(file.path for file in process.open_files()),
        len(process.net_connections()),
    )
