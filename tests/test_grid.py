"""Grids: the one that ``experiment=tune`` tries, and a leader at the edge of one."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.photos import photo
from support.points import point
from support.program import Program
from support.stores import sweep_in

from runner.analysis.warnings import at_the_edge
from runner.config import resolvers
from runner.config.options import Process, Tf
from runner.record.reading import read_sweep_json
from runner.sweeps.labels import label_points


@pytest.mark.parametrize(
    ("leader", "words"),
    [("process-w8", "try workers=8,16,32"), ("process-w4", None), ("process-w2", "try workers=1,2,4"), (None, None)],
)
def test_a_leader_at_the_edge_of_its_grid_is_told_with_the_words_that_widen_it(
    tmp_path: Path, leader: str | None, words: str | None
) -> None:
    points = [point(tmp_path / str(workers), mode=Process(), workers=workers) for workers in (2, 4, 8)]
    label_points(points)
    told = at_the_edge([one.facts() for one in points], leader)
    assert [one.advice for one in told] == ([] if words is None else [words])


def test_one_worker_is_no_edge_nor_is_a_grid_of_other_choices(tmp_path: Path) -> None:
    points = [point(tmp_path / str(workers), workers=workers) for workers in (1, 2)]
    points.append(point(tmp_path / "other", workers=4, tf=Tf(2, 2)))
    label_points(points)
    facts = [one.facts() for one in points]
    assert not at_the_edge(facts, "thread-w1")
    assert not at_the_edge(facts, "thread-w4")
    assert at_the_edge(facts, "thread-w2")


@pytest.mark.parametrize(("cpus", "workers"), [(1.0, "1,2"), (2.0, "1,2,4"), (2.5, "1,2,4,5"), (16.0, "1,2,4,8,16,32")])
def test_tuning_tries_up_to_twice_the_cpus(cpus: float, workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "usable_cpus", lambda: cpus)
    assert resolvers.doubled_workers() == workers


def test_tuning_races_on_a_folder_of_ones_own(program: Program, tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "one.png")
    words = [
        "source=folder",
        f"source.path={tmp_path / 'photos'}",
        "images=2",
        "task=pillow",
        "mode=sequential,thread",
        "tf=single",
        "tracking=none",
    ]
    answer = program("experiment=tune", *words, "protocol.max_rounds=2")
    assert answer.returncode == 0, answer.stderr
    record = read_sweep_json(sweep_in(program.folder) / "sweep.json")
    assert len(record["points"]) == 2 * (resolvers.doubled_workers().count(",") + 1)
    assert record.get("race")
