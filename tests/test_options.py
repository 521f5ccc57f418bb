"""What an option says of itself, and what a key of the configuration is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.composing import composed
from support.made_records import result

from runner.analysis.bounds import images_at_once
from runner.analysis.recommendation import Recommendation, words_for
from runner.commands.rerun import rerun
from runner.config.options import (
    Asyncio,
    Cache,
    Folder,
    Grain,
    Keras,
    Loky,
    ModeOption,
    NoTracking,
    Process,
    Ray,
    RunIn,
    Sample,
    Sequential,
    Server,
    Spdl,
    Sqlite,
    SyntheticProcess,
    Tf,
    Thread,
    Torch,
    Url,
)
from runner.config.plain import config_hash, plain
from runner.config.registry import mode_of, module_of
from runner.config.restore import choices_of
from runner.errors import ConfigurationError
from runner.record.factors import varying_keys
from runner.record.reading import PointRecord

# A value for every key, none of them the default.
EVERY_KEY = [
    "mode=process", "workers=3", "tf=single", "source=synthetic", "images=7", "task=pillow", "sink=file", "protocol=quick",
    "monitor=fine", "tracking=none", "affinity='0'", "seed=4", "baseline=other", "objective=total_s", "compare_hosts=true",
    "fail_fast=true",
]  # fmt: skip


def point(*words: str) -> PointRecord:
    return PointRecord(Path(), result(config=plain(composed(*words))), "point", [])


@pytest.mark.parametrize(
    ("mode", "label", "counts"),
    [
        (Sequential(), "sequential", (1, 0, 1, None)),
        (Thread(), "thread-w5", (5, 0, 5, 5)),
        (Process(), "process-w5", (5, 5, 5, 5)),
        (Process(threads_per_worker=3), "process-w5x3", (5, 5, 15, 15)),
        (Loky(), "loky-w5", (5, 5, 5, 5)),
        (Asyncio(), "asyncio-w5", (5, 0, 5, 2)),
        (Asyncio(decode_threads=4), "asyncio-w5", (5, 0, 5, 4)),
        (Torch(), "torch-w5", (5, 5, 5, 5)),
        (Keras(), "keras-w5", (5, 0, 5, 5)),
        (Keras(use_multiprocessing=True), "keras-w5", (5, 5, 5, 5)),
        (Grain(), "grain-w5", (5, 0, 5, 5)),
        (Spdl(run_in=RunIn.processes), "spdl-w5", (5, 5, 5, 5)),
        (Ray(), "ray-w5", (5, 5, 5, 5)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_mode_says_how_many_workers_processes_and_threads_there_are_where_five_are_asked_for(
    mode: ModeOption, label: str, counts: tuple[int, int, int, int | None]
) -> None:
    """Its workers, processes, threads, and on two CPUs the threads that compute at the same time."""
    assert mode.label(5) == label
    assert (mode.effective_workers(5), mode.processes(5), mode.threads(5), mode.computing_threads(5, 2)) == counts


def test_a_synthetic_process_has_one_tensorflow_thread_whatever_is_asked_for() -> None:
    assert SyntheticProcess().tensorflow_threads(Tf(4, 4)) == (1, 1)
    assert Thread().tensorflow_threads(Tf(4, 2)) == (4, 2)


def test_only_a_cluster_that_is_there_already_is_joined() -> None:
    assert [mode.joins_cluster for mode in (Thread(), Ray(), Ray(address="auto"))] == [False, False, True]


def test_a_source_says_whether_workers_read_files() -> None:
    assert [one.reads_files for one in (Sample(), Sample(serve=True), Folder(path="x"), Url(url="http://h/a.jpg"))] == [
        True,
        False,
        True,
        False,
    ]
    assert [one.served is one for one in (Sample(), Sample(serve=True))] == [False, True]
    assert [one.page_cache for one in (Sample(cache=Cache.cold), Url(url="http://h/a.jpg"))] == [Cache.cold, Cache.as_is]


def test_tracking_says_which_stores_there_are() -> None:
    assert [one.stores for one in (Sqlite(), Server(uri="http://h:1"), NoTracking())] == [(None,), ("http://h:1",), ()]


def test_the_code_of_an_option_is_in_the_module_of_its_name_but_where_python_has_that_word() -> None:
    assert module_of("mode", "thread_pool") == "runner.modes.thread_pool"
    assert module_of("source", "url") == "runner.pipeline.sources.url"
    assert module_of("sink", "none") == "runner.pipeline.sinks.none_"


def test_a_record_says_how_many_images_its_workers_can_handle_at_the_same_time() -> None:
    assert images_at_once(point("mode=sequential", "workers=15")) == 1
    assert images_at_once(point("mode=process", "workers=4", "mode.threads_per_worker=3")) == 12


def test_a_mode_that_is_not_installed_here_counts_as_most_do() -> None:
    mode = mode_of({"mode": {"name": "of_somebody_else", "knob": 3}})
    assert (mode.effective_workers(4), mode.threads(4)) == (4, 4)


def test_what_is_recommended_is_the_work_and_nothing_of_how_it_was_measured_or_compared() -> None:
    words = words_for(Recommendation("throughput", point(*EVERY_KEY), point(), 0.0, 5.0, 1, 1))
    assert [word.partition("=")[0] for word in words] == [
        "mode",
        "workers",
        "tf",
        "source",
        "task",
        "sink",
        "consumer",
        "affinity",
    ]


def test_a_rerun_takes_over_all_but_where_it_is_recorded() -> None:
    words = choices_of(point(*EVERY_KEY, "resume=somewhere").record["config"])
    assert [word for word in words if word.startswith(("tracking", "resume"))] == []
    assert config_hash(composed(*words)) == config_hash(composed(*EVERY_KEY))
    assert composed(*words).compare_hosts


@pytest.mark.parametrize(
    ("word", "hashed", "varies"),
    [
        ("workers=4", True, True),
        ("images=9", True, True),
        ("protocol=standard", True, True),
        ("protocol.indifference=0.1", False, True),
        ("seed=5", True, False),
        ("baseline=1", False, False),
        ("compare_hosts=false", False, False),
        ("fail_fast=false", False, False),
        ("objective=work_s", False, False),
        ("tracking=sqlite", False, False),
        ("resume=x", False, False),
    ],
)
def test_a_key_makes_another_configuration_or_only_another_session(word: str, hashed: bool, varies: bool) -> None:
    one, other = composed(*EVERY_KEY), composed(*EVERY_KEY, word)
    assert (config_hash(one) != config_hash(other)) is hashed
    varying: list[Any] = varying_keys([plain(one), plain(other)])
    assert bool(varying) is varies


@pytest.mark.parametrize("word", ["resume=x", "experiment=notebook", "hydra.sweep.dir=x", "workers"])
def test_how_a_program_begins_cannot_be_chosen_for_a_rerun(word: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be chosen for a rerun"):
        rerun("anywhere", [word], None)
