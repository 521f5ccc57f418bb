"""Bad input is refused in one message, before anything is written or loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.composing import composed
from support.forking_program import ForkingProgram
from support.program import Program

from runner.config.cpus import as_text, cpus_of
from runner.errors import ConfigurationError


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
        (["source=tfrecord", "source.path=.", "source.feature="], "source.feature", "", "not empty"),
        (["source=folder", "source.path=odd"], "source.path", "xe9.jpg", "UTF-8"),
        (["workers=1,2", "+hydra.job.env_set.MINE=42", "-m"], "hydra.job.env_set.MINE", "***", "MINE=... runner"),
        (["experiment=gil_bound,return_path", "-m"], "experiment", "gil_bound is a sweep by itself", "one preset"),
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
    from runner.pipeline.sources.local import checked_file

    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"x")
    # The superuser may read everything, so the system's answer is given here.
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"source\.path=.*secret\.jpg: is not readable"):
        checked_file("source.path", secret)


def test_a_missing_opencv_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:

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
