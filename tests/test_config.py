"""Configuration: what is accepted, what is refused, and how it is said."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from support.composing import composed
from support.forking_program import ForkingProgram
from support.paths import ROOT
from support.program import Program

from runner.commands.dispatch import VERBS
from runner.commands.help import with_table
from runner.config.check import config_hash, plain
from runner.config.cpus import as_text, cpus_of
from runner.config.options import Config, Url
from runner.config.registry import GROUPS, conf_dir, doc_of, files_of, names_code, options
from runner.errors import ConfigurationError


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkingProgram]:
    light = ("commands.dispatch", "commands.check_before_run", "sweep.execute", "sweep.composing")
    program = ForkingProgram(tmp_path_factory.mktemp("forking"), "hydra", "numpy", *(f"runner.{module}" for module in light))
    yield program
    program.close()


@pytest.mark.parametrize(
    ("text", "cpus", "shortest"),
    [("0", (0,), "0"), ("0-3", (0, 1, 2, 3), "0-3"), ("4,0-1,1", (0, 1, 4), "0-1,4"), (" 2 , 5 ", (2, 5), "2,5")],
)
def test_a_list_of_cpus_is_read_as_taskset_reads_it(text: str, cpus: tuple[int, ...], shortest: str) -> None:
    assert cpus_of(text) == cpus
    assert as_text(cpus) == shortest


@pytest.mark.parametrize(
    ("words", "key", "given", "accepted"),
    [
        (["mode=thraed"], "mode", "thraed", "thread_pool"),
        (["source=flickr"], "source", "flickr", "synthetic"),
        (["tf=fast"], "tf", "fast", "notebook"),
        (["wrokers=3"], "wrokers", "3", "workers"),
        (["+colour=red"], "colour", "red", "workers"),
        (["+mode.colour=red"], "mode.colour", "red", "no field"),
        (["source=synthetic", "source.widht=3"], "source.widht", "3", "width"),
        (["workers=0"], "workers", "0", "from 1"),
        (["workers=-1"], "workers", "-1", "from 1"),
        (["workers=abc"], "workers", "abc", "an integer"),
        (["workers=1.5"], "workers", "1.5", "an integer"),
        (["images=0"], "images", "0", "from 1"),
        (["protocol.timeout_s=0"], "protocol.timeout_s", "0", "above 0"),
        (["task.ratio=3"], "task.ratio", "3", "1, 2, 4, 8"),
        (["task.execution=lazy"], "task.execution", "lazy", "eager, graph"),
        (["task.steps=[decode,reszie]"], "task.steps", "reszie", "resize, standardize, flip, crop, colour"),
        (["task.steps=[decode,flip,flip]"], "task.steps", "has flip twice", "different steps"),
        (["task.steps=[resize,decode]"], "task.steps", "[resize,decode]", "decode first"),
        (["task.steps=[]"], "task.steps", "[]", "decode first"),
        (["task.steps=[decode,standardize,colour]"], "task.steps", "after standardize", "colour before standardize"),
        (["task.steps=decode"], "task.steps", "decode", "a list such as"),
        (["task.steps=[null]"], "task.steps", "[null]", "a list such as"),
        (["task.steps=[[decode]]"], "task.steps", "['decode']", "out of decode"),
        (["task.steps=[decode,colour]", "task.channels=1"], "task.channels", "1", "3"),
        (["task.crop=0"], "task.crop", "0", "above 0"),
        (["task.colour=1.5"], "task.colour", "1.5", "from 0 to 1"),
        (["task=pillow", "task.channels=0"], "task.channels", "0", "1, 3"),
        (["task=opencv", "task.ratio=2"], "task.ratio", "belongs to task=tensorflow", "steps"),
        (["task=python", "task.size=0"], "task.size", "0", "from 1"),
        (["task=math", "task.dtype=int8"], "task.dtype", "int8", "float32, float64"),
        (["task=inference", "task.model=GPT"], "task.model", "GPT", "MobileNetV2"),
        (["task=inference", "task.size=32"], "task.size", "32", "from 75"),
        (["task=function"], "task.function", "must be given", "package.module:name"),
        (["task=function", "task.function=os.getcwd"], "task.function", "os.getcwd", "package.module:name"),
        (["task=function", "task.function=nowhere.to:be"], "task.function", "no module nowhere", "on the path"),
        (["task=function", "task.function=json.nowhere:f"], "task.function", "no module json.nowhere", "on the path"),
        (["task=function", "task.function=textwrap.fill:f"], "task.function", "no module textwrap.fill", "on the path"),
        (["mode=process", "mode.start_method=clone"], "mode.start_method", "clone", "forkserver, spawn"),
        (["mode.threads_per_worker=2"], "mode.threads_per_worker", "2", "belongs to mode=process and process_pool"),
        (["mode=synthetic_process", "tf=notebook"], "tf", "4/4", "tf=single"),
        (["mode.name=os"], "mode.name", "os", "thread"),
        (["source=file"], "source.path", "must be given", "image file"),
        (["source=file", "source.path=nowhere.jpg"], "source.path", "nowhere.jpg", "readable image file"),
        (["source=file", "source.path=."], "source.path", ".", "is a folder"),
        (["source=folder", "source.path=nowhere"], "source.path", "nowhere", "does not exist"),
        (["source=folder", "source.path=empty"], "source.path", "empty", "no image in it"),
        (["source=folder", "source.path=file.txt"], "source.path", "file.txt", "is not a folder"),
        (["workers=1,2"], "workers", "1,2", "add -m"),
        (["workers=1,0", "-m"], "workers", "0", "from 1"),
        (["mode=thread,thraed", "-m"], "mode", "thraed", "did you mean thread"),
        (["experiment=notebok"], "experiment", "notebok", "notebook"),
        (["protocol.timeout_s=inf"], "protocol.timeout_s", "inf", "above 0"),
        (["protocol.timeout_s=nan"], "protocol.timeout_s", "nan", "above 0"),
        (["affinity=first"], "affinity", "first", "a list of CPUs out of"),
        (["affinity=0-999999"], "affinity", "0-999999", "a list of CPUs out of"),
        (["affinity=3-1"], "affinity", "3-1", "a list of CPUs out of"),
        (["monitor.cost_limit_pct=0"], "monitor.cost_limit_pct", "0", "from 0.1 to 100"),
        (["monitor.interval_s=nan"], "monitor.interval_s", "nan", "0.005"),
        (["workers=${nope}"], "workers", "nope", "an integer"),
        (["workers=null"], "workers", "null", "an integer"),
        (["mode=null"], "mode", "null", "thread_pool"),
        (["mode=3"], "mode", "3", "thread_pool"),
        (["tracking.experiment="], "tracking.experiment", "", "not empty"),
        (["tracking=server", "tracking.uri=nonsense"], "tracking.uri", "nonsense", "such as http"),
        (["hydra.job.chdir=true"], "hydra.job.chdir", "True", "false"),
        (["workers=1,2", "hydra.sweep.subdir=x", "-m"], "hydra.sweep.subdir", "x", "job.num"),
        (["workers=1,2", "baseline=nobody", "-m"], "baseline", "nobody", "thread-w1, thread-w2"),
        (["source.cache=hot"], "source.cache", "hot", "as_is, warm, cold"),
        (["source.serve_latency_s=0.1"], "source.serve_latency_s", "0.1", "source.serve=true"),
        (["source.serve_bandwidth_mb_per_s=9"], "source.serve_bandwidth_mb_per_s", "9", "source.serve=true"),
        (["source.serve=true", "source.serve_bandwidth_mb_per_s=0"], "source.serve_bandwidth_mb_per_s", "0", "above 0"),
        (["source.serve=true", "source.serve_jitter_s=0.1"], "source.serve_jitter_s", "0.1", "up to the latency"),
        (["source=url"], "source.url", "must be given", "an address such as https://"),
        (["source=url", "source.url=photo.jpg"], "source.url", "photo.jpg", "an address such as https://"),
        (["source=url", "source.url=[http://h/a.jpg,3]"], "source.url", "3", "an address such as https://"),
        (["source=url", "source.url=[]"], "source.url", "no address in it", "an address such as https://"),
        (["source=url", "source.url=nowhere://h/a.jpg"], "source.url", "no protocol nowhere", "https"),
        (["source=url", "source.url=http://127.0.0.1:1/a.jpg", "source.retries=0"], "source.url", "a.jpg", "with an image"),
        (["source=url", "source.url=http://h/a.jpg", "source.timeout_s=0"], "source.timeout_s", "0", "above 0"),
        (["source=url", "source.url=http://h/a.jpg", "source.retries=-1"], "source.retries", "-1", "from 0 to 100"),
        (["source=url", "source.url=http://h/a.jpg", "source.max_bytes=0"], "source.max_bytes", "0", "of 1 or more"),
        (["source=url", "source.url=http://h/a.jpg", "source.options=3"], "source.options", "3", "a mapping such as"),
        (
            ["source=url", "source.url=s3://h/a", "source.options={s3:{secret:x}}"],
            "source.options.s3.secret",
            "***",
            "environment",
        ),
        (["source=tfrecord"], "source.path", "must be given", "tf.train.Example"),
        (["source=tfrecord", "source.path=file.txt"], "source.path", "file.txt", "tf.train.Example"),
        (["source=tfrecord", "source.path=nowhere"], "source.path", "does not exist", "tf.train.Example"),
        (["source=tfrecord", "source.path=x", "source.feature="], "source.feature", "", "not empty"),
        (["source=folder", "source.path=odd"], "source.path", "xe9.jpg", "UTF-8"),
        (["sink=kafka"], "sink", "kafka", "none, file, http"),
        (["sink.url=http://host"], "sink.url", "http://host", "belongs to sink=file and http"),
        (["sink=file", "sink.format=jpeg"], "sink.format", "jpeg", "npy, png, tfrecord"),
        (["sink=file", "sink.url=gopher://host/x"], "sink.url", "gopher", "an fsspec URL"),
        (["sink=file", "sink.url=http://host/x"], "sink.url", "http://host/x", "sink=http"),
        (["sink=file", "sink.url='  '"], "sink.url", "is empty", "an fsspec URL"),
        (["sink=file", "sink.remove=perhaps"], "sink.remove", "perhaps", "true or false"),
        (["sink=file", "sink.retries=-1"], "sink.retries", "-1", "from 0 to 100"),
        (["sink=http", "sink.payload=image"], "sink.payload", "image", "digest, array"),
        (["sink=http", "sink.url=host:80"], "sink.url", "host:80", "such as http://"),
        (["sink=http", "sink.url=http://host:99999/"], "sink.url", "99999", "such as http://"),
        (["sink=http", "sink.timeout_s=0"], "sink.timeout_s", "0", "above 0"),
        (["sink=http", "sink.latency_s=-1"], "sink.latency_s", "-1", "from 0"),
        (["sink=http", "sink.latency_s=1", "sink.url=http://host/"], "sink.latency_s", "1", "0 with a server"),
    ],
)
def test_bad_input_is_refused_in_one_message_before_anything_is_written(
    forking: ForkingProgram, words: list[str], key: str, given: str, accepted: str
) -> None:
    folder = Path.cwd()
    (folder / "empty").mkdir()
    (folder / "file.txt").write_text("no image")
    (folder / "odd").mkdir()
    (folder / "odd" / os.fsdecode(b"\xe9.jpg")).write_bytes(b"no image")
    before = sorted(folder.rglob("*"))
    answer = forking.run(folder, "runner.commands.dispatch", *words)
    assert answer.returncode == 1
    assert answer.stdout == ""
    message = answer.stderr.strip()
    assert message.startswith(key), message
    assert given in message.splitlines()[0], message
    assert accepted in message, message
    assert len(message.splitlines()) == 2, message
    assert sorted(folder.rglob("*")) == before


def test_a_path_that_may_not_be_read_is_refused(program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from runner.errors import ConfigurationError
    from runner.pipeline.sources.local import checked_file

    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"x")
    # The superuser may read everything, so the system's answer is given here.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"source\.path=.*secret\.jpg: is not readable"):
        checked_file("source.path", secret)


def test_a_missing_opencv_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.errors import ConfigurationError

    monkeypatch.setitem(sys.modules, "cv2", None)  # as if it were not installed
    with pytest.raises(ConfigurationError, match=r"(?s)task=opencv: needs OpenCV.*pip install .*\[opencv\]"):
        composed("task=opencv")
    composed("task=pillow")


def test_a_function_of_ones_own_is_looked_for_and_not_run(program: Program) -> None:
    package = program.folder / "mine"
    package.mkdir()
    for name in ("__init__.py", "images.py"):
        (package / name).write_text("open('has_run', 'w').close()")
    answer = program("task=function", "task.function=mine.nothing:f")
    assert answer.stderr.startswith("task.function=mine.nothing:f: there is no module mine.nothing"), answer.stderr
    assert program("task=function", "task.function=mine.images:f", "--cfg", "job").returncode == 0
    assert not (program.folder / "has_run").exists()


def test_an_unknown_flag_exits_with_1(program: Program) -> None:
    answer = program("--nonsense")
    assert answer.returncode == 1
    assert "unrecognized arguments: --nonsense" in answer.stderr


def test_the_multirun_flag_may_stand_between_overrides(program: Program) -> None:
    answer = program("mode=thread", "-m", "workers=0,1")
    assert answer.stderr.startswith("workers=0: ")


@pytest.mark.parametrize(
    "words",
    [
        ["--cfg", "job"], ["--help"], ["mode=thrad"], ["workers=0"], ["workers=0", "task=opencv"], ["task.steps=[x]"],
        ["nonsense"], ["compare", "--help"],
    ],
)  # fmt: skip
def test_nothing_heavy_is_imported_to_show_a_configuration_or_to_refuse_one(program: Program, words: list[str]) -> None:
    script = (
        f"import sys; sys.argv = ['runner', *{words!r}]\n"
        "from runner.commands.dispatch import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'mlflow', 'numpy', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout or answer.stderr


@pytest.mark.parametrize(
    "module",
    ["runner.commands.run", "runner.sweep.session", "runner.sweep.sweep", "runner.sweep.point", "runner.display.summary"],
)
def test_the_conductor_never_imports_tensorflow(module: str) -> None:
    script = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"]])
def test_help_says_what_every_command_option_and_key_is(program: Program, words: list[str]) -> None:
    answer = program(*words)
    assert answer.returncode == 0
    assert answer.stderr == ""
    for verb, doc in VERBS.items():
        assert f"  {verb.ljust(11)}{doc}\n" in answer.stdout
    for group in (*GROUPS, "experiment"):
        section = answer.stdout.partition(f"\n  {group}: ")[2].partition("\n\n")[0]
        for option in options().get(group, files_of(group)):
            assert re.search(rf"^    {option} +{re.escape(doc_of(group, option))}$", section, re.MULTILINE), option
    for spec in dataclasses.fields(Config):
        assert spec.metadata["doc"] in answer.stdout
    assert "  workers=15 " in answer.stdout
    assert "--hydra-help" in answer.stdout


def test_help_on_an_option_shows_its_fields_with_their_defaults_and_what_they_accept(program: Program) -> None:
    answer = program("mode=process", "source=file", "--help")
    assert "mode.start_method=auto" in answer.stdout
    assert "one of auto, fork, forkserver, spawn" in answer.stdout
    assert "source.path=..." in answer.stdout
    assert "experiment" not in answer.stdout


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_command_has_help(forking: ForkingProgram, verb: str) -> None:
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", verb, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"usage: runner {verb}")


def test_hydras_own_help_is_still_there(program: Program) -> None:
    assert "--multirun" in program("--hydra-help").stdout


@pytest.mark.parametrize("words", [["--help"], ["nonsense"]])
def test_help_and_the_refusal_of_a_command_load_nothing_heavy(program: Program, words: list[str]) -> None:
    heavy = ["hydra", "omegaconf", "yaml", "numpy", "psutil", "PIL", "tensorflow", "mlflow"]
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print(set({heavy}) & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr.endswith("set()\n"), answer.stderr


@pytest.mark.parametrize("words", [["workers=0"], ["workers=1,0", "-m"], ["source=folder", "source.path=nowhere"]])
def test_a_refusal_loads_no_numpy(program: Program, words: list[str]) -> None:
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print({{'numpy', 'scipy', 'mlflow'}} & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr.endswith("set()\n"), answer.stderr


@pytest.mark.parametrize("words", [["workers=1,0", "-m"], ["wrokers=3"], ["mode=thread,thraed", "-m"], ["experiment=notebok"]])
def test_a_word_that_is_wrong_by_itself_is_refused_before_hydra_is_loaded(program: Program, words: list[str]) -> None:
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print({{'hydra'}} & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.endswith("set()\n"), answer.stderr


def test_an_option_from_a_config_dir_of_ones_own_is_not_refused(program: Program) -> None:
    preset = program.folder / "own" / "experiment" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("# @package _global_\nworkers: 3\n")
    answer = program("--config-dir", "own", "--cfg", "job", "experiment=mine")
    assert answer.returncode == 0, answer.stderr
    assert "workers: 3" in answer.stdout


def test_the_page_of_choices_has_the_table_of_the_register() -> None:
    page = (ROOT / "docs" / "choices.md").read_text(encoding="utf-8")
    assert page == with_table(page), "make table writes it"


@pytest.mark.parametrize("group", [*GROUPS, "experiment"])
def test_every_option_says_in_a_sentence_what_it_is(group: str) -> None:
    for option in options().get(group, files_of(group)):
        assert 10 < len(doc_of(group, option)) < 160, option


def test_info_shows_where_the_configuration_comes_from(program: Program) -> None:
    answer = program("--info", "defaults")
    assert answer.returncode == 0
    assert "mode/thread" in answer.stdout


@pytest.mark.parametrize(("group", "option"), [(group, option) for group, kinds in options().items() for option in kinds])
def test_every_option_has_a_file_and_a_type(group: str, option: str) -> None:
    needed = {
        "source=file": "source.path=x.jpg",
        "source=folder": "source.path=x",
        "task=function": "task.function=json:loads",
        "source=url": "source.url=http://h/a.jpg",
        "source=tfrecord": "source.path=x",
        "tracking=server": "tracking.uri=http://127.0.0.1:1",
    }
    choice = f"{group}={option}"
    words = [choice] + ([needed[choice]] if choice in needed else [])
    config = composed(*words)
    assert isinstance(getattr(config, group), options()[group][option])


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_file_is_an_option(group: str) -> None:
    assert {path.stem for path in (conf_dir() / group).glob("*.yaml")} == set(options()[group])


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_file_gives_the_defaults_of_its_type(group: str) -> None:
    """What a file says and what the code would do without it are the same, so neither is a second truth."""
    if group in {"tf", "monitor", "protocol"}:
        pytest.skip("the options of this group differ in nothing but values")
    for option, kind in options()[group].items():
        file = OmegaConf.load(conf_dir() / group / f"{option}.yaml")
        values = OmegaConf.to_container(file)
        assert isinstance(values, dict)
        for key, value in values.items():
            if key != "defaults" and value != "???":
                assert plain(getattr(kind(), str(key))) == value, f"{group}={option}: {key!s}"


@pytest.mark.parametrize(
    ("preset", "mode", "tf", "rounds"),
    [
        ("notebook", "thread", (4, 4), 1),
        ("notebook_processes", "process", (4, 4), 1),
        ("notebook_synthetic", "synthetic_process", (1, 1), 1),
    ],
)
def test_the_notebooks_presets_are_the_notebooks(preset: str, mode: str, tf: tuple[int, int], rounds: int) -> None:
    config = composed(f"experiment={preset}")
    assert (config.mode.name, config.workers, config.images) == (mode, 15, 15)
    assert (config.tf.intra_op, config.tf.inter_op) == tf
    assert (config.protocol.rounds, config.protocol.epochs, config.protocol.warmup_epochs) == (rounds, 1, 0)


def test_the_hash_tells_configurations_apart_by_what_they_measure() -> None:
    base = config_hash(composed())
    assert config_hash(composed("workers=15", "mode=thread")) == base
    assert config_hash(composed("tracking=none")) == base
    assert config_hash(composed("workers=14")) != base
    assert config_hash(composed("tf.intra_op=1")) != base


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "8fe38bd674edcd2a"),
        (["mode=sequential", "task=pillow", "source=synthetic"], "2d921bbfe07ee21e"),
        (
            ["mode=process", "workers=3", "sink=file", "seed=4", "protocol=quick", "monitor=fine", "tf=single"],
            "95ca58b9feb88848",
        ),
    ],
)
def test_the_hash_of_a_configuration_is_what_records_have(words: list[str], expected: str) -> None:
    """Records are told apart by it: of these three, some were written by the first versions of this program."""
    assert config_hash(composed(*words)) == expected


def test_the_only_field_that_names_code_is_the_one_of_a_users_function() -> None:
    assert names_code() == ["task.function"]


def test_values_that_no_file_gives_are_the_defaults_of_their_fields() -> None:
    file = OmegaConf.load(conf_dir() / "config.yaml")
    assert isinstance(file, DictConfig)
    for spec in dataclasses.fields(Config):
        if spec.name not in GROUPS:
            default = (
                spec.default if spec.default_factory is dataclasses.MISSING else dataclasses.asdict(spec.default_factory())
            )
            assert file[spec.name] == default, spec.name


def test_the_wheel_carries_its_configuration(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    script = (
        "import sys, runner, runner.commands.dispatch; assert runner.__file__.startswith(sys.argv[1]), runner.__file__\n"
        "sys.argv = ['runner', 'mode=process', '--cfg', 'job']; runner.commands.dispatch.main()"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r})\n{script}", str(installed)]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "start_method: auto" in answer.stdout


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"client_kwargs": {"headers": [{"Cookie": "x"}]}}, "source.options.client_kwargs.headers.0.Cookie"),
        ({"connection_string": "AccountKey=x"}, "source.options.connection_string"),
        ({"passphrase": 1234}, "source.options.passphrase"),
    ],
)
def test_credentials_are_refused_however_deep_they_lie(options: Any, key: str) -> None:
    config = composed()
    with pytest.raises(ConfigurationError) as refused:
        Url(url="http://h/a.jpg", options=options).check(config)
    assert refused.value.key == key
    assert "1234" not in str(refused.value)


@pytest.mark.parametrize("words", [["images=2"], ["workers=1,2", "-m"]], ids=["run", "sweep"])
def test_a_folder_for_temporary_files_with_too_long_a_name_is_refused(forking: ForkingProgram, words: list[str]) -> None:
    """Sockets would not fit into it."""
    long = Path.cwd() / ("x" * 80)
    long.mkdir()
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", *words, TMPDIR=str(long))
    assert answer.returncode == 1
    assert answer.stderr.startswith(
        f"TMPDIR={long}: is too long for the path of a socket in it\n  accepted: a path of at most "
    )
    assert list(Path.cwd().iterdir()) == [long]
