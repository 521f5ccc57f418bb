"""Whatever is typed on the command line, and whatever stands in a record's configuration, is taken as it is meant or refused in words."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from runner.config.check import typed
from runner.config.cpus import as_text, cpus_of
from runner.config.direct import configurations
from runner.config.early import refuse_early
from runner.config.explain import explain
from runner.config.options import Config
from runner.config.registry import GROUPS, KEYS, conf_dir, files_of, options
from runner.config.restore import choices_of, quoted
from runner.config.store import register
from runner.errors import ConfigurationError

FIELDS = sorted(
    {f"{group}.{spec.name}" for group in GROUPS for kind in options()[group].values() for spec in dataclasses.fields(kind)}
)
NAMES = sorted({name for group in GROUPS for name in options()[group]} | set(files_of("experiment")))
NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(["0", "1", "-1", "1e3", "1_0", "+2", "007", "1."]),
)
BARE = st.one_of(
    st.sampled_from([*NAMES, "true", "False", "null", "nan", "inf", "-inf", "jpeg", "???", "a:b", "0,1", "x y"]), NUMBERS
)
VALUES = st.one_of(
    BARE, BARE.map("'{}'".format), BARE.map('"{}"'.format), st.lists(BARE, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
)
WORDS = st.one_of(
    st.builds("{}={}".format, st.sampled_from([*KEYS, *FIELDS, "experiment"]), VALUES),
    st.builds("{}={}".format, st.sampled_from(GROUPS), st.sampled_from(NAMES)),
)

TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="\\'\"${}[](),:=.-+~@ \t\n\r#%!?*&|<>a0", max_size=20),
    st.sampled_from(
        ["null", "True", "nan", "-inf", "1e3", "0x10", "???", "", " ", "a b", "é", "\\", "\\\\'", "choice(1,2)", "range(3)"]
    ),
)
NAMED = st.one_of(
    st.from_regex(r"[A-Za-z_][\w./-]*", fullmatch=True), st.sampled_from(["null", "TRUE", "nan", "inf", "a:b", ""])
)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), TEXTS),
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(NAMED, inside, max_size=4)),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def hydra() -> Iterator[None]:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def nested(depth: int) -> Any:
    return [] if depth == 0 else [nested(depth - 1)]


# What stands under a key of a record's configuration: an option with its fields, or anything.
CONFIGS = st.one_of(
    PLAIN,
    st.builds(
        lambda name, fields: fields | {"name": name},
        st.one_of(st.sampled_from(NAMES), PLAIN),
        st.dictionaries(st.sampled_from([field.partition(".")[2] for field in FIELDS]), PLAIN, max_size=4),
    ),
)


def refusal(call: Callable[[], object]) -> ConfigurationError | None:
    """The error with which ``call`` refuses; None where it does not."""
    try:
        call()
    except ConfigurationError as refused:
        return refused
    return None


@given(st.lists(st.one_of(st.text(max_size=40), WORDS, st.builds("{}={}".format, st.text(max_size=10), st.text())), max_size=4))
def test_any_words_are_left_to_hydra_or_refused_in_words(words: Sequence[str]) -> None:
    refused = refusal(lambda: refuse_early(words))
    assert refused is None or any(word.startswith(f"{refused.key}=") for word in words)


def test_every_option_and_every_preset_is_left_to_hydra() -> None:
    for group in GROUPS:
        for name in options()[group]:
            refuse_early([f"{group}={name}"])
    for name in files_of("experiment"):
        refuse_early([f"experiment={name}"])


@settings(max_examples=settings().max_examples // 4)
@given(words=st.lists(WORDS, min_size=1, max_size=3, unique_by=lambda word: word.partition("=")[0]))
def test_what_is_refused_before_hydra_is_loaded_would_be_refused_after_it(hydra: None, words: Sequence[str]) -> None:
    if refusal(lambda: refuse_early(words)) is not None:
        with pytest.raises((ConfigurationError, HydraException, OmegaConfBaseException, ValueError)):
            typed(compose("config", overrides=list(words)))


@settings(max_examples=settings().max_examples // 4)
@given(words=st.lists(WORDS, max_size=4, unique_by=lambda word: word.partition("=")[0]))
@example(words=["mode=synthetic_process", "affinity=0", "workers=3"])
@example(words=["source=folder", "task=opencv", "task.colour=0", "source.path=a/b.c"])
@example(words=["tracking=server"])
@example(words=["task.steps=[decode,resize]", "task=pillow"])
@example(words=["task.steps=[]"])
@example(words=["workers=[1,2]"])
@example(words=["affinity='0,1'"])
@example(words=["affinity=''"])
@example(words=["workers='2'"])
@example(words=["mode='thread'"])
@example(words=["task=function", "task.function=module:name"])
@example(words=["source=url", "source.url=http://127.0.0.1:80/a.jpg"])
@example(words=["source=url", 'source.url="s3://bucket/a?b=c d"'])
@example(words=["task=pillow", "task.steps=['decode',\"resize\"]"])
@example(words=["experiment=notebook", "mode=process", "workers=3", "tf.intra_op=2"])
@example(words=["experiment=notebook", "mode.nope=1"])
def test_what_is_composed_without_hydra_is_what_hydra_composes(hydra: None, words: Sequence[str]) -> None:
    if refusal(lambda: refuse_early(words)) is not None:
        return
    try:
        direct = configurations(words)
    except ConfigurationError as refused:
        with pytest.raises(ConfigurationError, match=re.escape(str(refused))):
            hydras(words)
    else:
        assert direct is None or direct == [hydras(words)]


GIVEN = ["source.path=here", "task.function=here", "consumer.function=here", "tracking.uri=here"]


@pytest.mark.parametrize("turn", range(max(len(names) for names in options().values())))
def test_each_option_is_composed_without_hydra_as_by_hydra(hydra: None, turn: int) -> None:
    chosen = {group: list(kinds)[turn % len(kinds)] for group, kinds in options().items()}
    chosen["source"] = "sample" if chosen["source"] == "url" else chosen["source"]  # its address is no plain word
    fields = {f"{group}.{spec.name}" for group, name in chosen.items() for spec in dataclasses.fields(options()[group][name])}
    given = [word for word in GIVEN if word.partition("=")[0] in fields]
    words = [*(f"{group}={name}" for group, name in chosen.items()), *given]
    assert configurations(words) == [hydras(words)]


@pytest.mark.parametrize("name", files_of("experiment"))
def test_each_preset_is_composed_without_hydra_as_by_hydra(hydra: None, name: str) -> None:
    node = compose("config", overrides=[f"experiment={name}"], return_hydra_config=True)
    swept = (node.hydra.mode is RunMode.MULTIRUN and node.hydra.sweeper.params) or {}
    points = itertools.product(*([f"{key}={value}" for value in str(values).split(",")] for key, values in swept.items()))
    assert configurations([f"experiment={name}"]) == [hydras([f"experiment={name}", *words]) for words in points]


def hydras(words: Sequence[str]) -> Config:
    """What Hydra composes, its rules not checked."""
    try:
        node = compose("config", overrides=list(words))
        config = OmegaConf.to_object(node)
    except MissingMandatoryValue:
        return typed(node)
    except (HydraException, OmegaConfBaseException) as error:
        raise explain(error, words) from error
    assert isinstance(config, Config)
    return config


def test_the_points_of_a_sweep_are_composed_in_hydras_order() -> None:
    points = configurations(["mode=thread,process", "workers=1,2", "-m"])
    assert points is not None
    assert [point.mode.label(point.workers) for point in points] == ["thread-w1", "thread-w2", "process-w1", "process-w2"]


@pytest.mark.parametrize(
    "word",
    [
        "+tf=single",
        "hydra.sweeper.params=1",
        "images=${workers}",
        "images='${workers}'",
        "workers='2'",
        "resume=outputs",
        "--cfg",
    ],
)
def test_words_that_mean_more_than_a_value_are_left_to_hydra(word: str) -> None:
    assert configurations([word, "workers=2"]) is None


@given(PLAIN)
@example("???")
@example({"a": ["???"]})
@example({"null": 1})
@example({"A\u00aa": 1})
def test_a_plain_value_is_quoted_so_that_hydra_reads_it_back_or_refused_in_words(value: Any) -> None:
    if refusal(lambda: quoted("source.options", value)) is not None:
        return
    (override,) = OverridesParser.create().parse_overrides([f"source.options={quoted('source.options', value)}"])
    assert not override.is_sweep_override()
    read = OmegaConf.to_container(OmegaConf.create({"value": override.value()}), resolve=True, throw_on_missing=True)
    assert same(read["value"], value)  # type: ignore[index,call-overload]


@given(st.dictionaries(st.one_of(st.sampled_from([*KEYS]), TEXTS), CONFIGS, max_size=5))
@example({"mode": {"name": ["thread"]}})
def test_a_records_configuration_is_the_words_that_compose_it_or_refused_in_words(config: dict[str, Any]) -> None:
    if refusal(lambda: choices_of(config)) is None:
        for override in OverridesParser.create().parse_overrides(choices_of(config)):
            assert override.key_or_group.partition(".")[0] in config


def test_lists_within_lists_are_refused_before_they_are_too_deep_to_be_read() -> None:
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        choices_of({"source": {"name": "url", "options": nested(900)}})


def same(one: Any, other: Any) -> bool:
    """Whether they are equal, of the same type, and NaN where the other is."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)


@given(st.one_of(st.text(max_size=30), st.text(alphabet="0123456789-, ", max_size=30)))
@example("9" * 5000)
@example(",".join(["0-65535"] * 10_000))
def test_any_text_is_a_list_of_cpus_or_refused_in_words(text: str) -> None:
    try:
        cpus = cpus_of(text)
    except ValueError:
        return
    assert list(cpus) == sorted(set(cpus))
    assert cpus_of(as_text(cpus)) == cpus


@given(st.sets(st.integers(0, 65_535), min_size=1, max_size=50))
def test_a_list_of_cpus_is_written_so_that_it_is_read_back(cpus: set[int]) -> None:
    assert cpus_of(as_text(tuple(sorted(cpus)))) == tuple(sorted(cpus))
