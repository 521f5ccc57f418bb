"""``runner diagnose``: one configuration whole and in parts, in a real program; stages that are left out."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from support.composing import composed
from support.modes import marks
from support.program import Program

from runner.config.options import NoSink, Skip
from runner.config.registry import options
from runner.errors import ConfigurationError
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.shortcuts import from_memory
from runner.pipeline.sinks.none_ import PROVIDES as NO_SINK
from runner.pipeline.sources import Image
from runner.pipeline.stamps import Records

MODES = [pytest.param(name, marks=marks(kind)) for name, kind in options()["mode"].items() if kind().can_skip]
SMALL = ("mode=thread", "workers=2", "task=pillow", "task.size=8", "images=6", "monitor=off", "tracking=none")


class Counting:
    """A source and a task that count what is asked of them."""

    def __init__(self) -> None:
        self.read_images = self.runs = 0

    def read(self, image: Image) -> bytes:
        self.read_images += 1
        return image.name.encode()

    def close(self) -> None:
        """Nothing is open."""

    def run(self, data: bytes, image: Image) -> bytes:
        self.runs += 1
        assert data == image.name.encode()
        return data

    def array(self, result: bytes) -> np.ndarray:
        return np.frombuffer(result, np.uint8)

    def digest(self, result: bytes) -> bytes:
        return result


@pytest.mark.parametrize(("skip", "reads", "runs"), [(Skip.none, 20, 20), (Skip.fetch, 0, 20), (Skip.preparation, 0, 0)])
def test_what_is_left_out_is_not_done_in_a_pass(skip: Skip, reads: int, runs: int) -> None:
    images = [Image(f"/{number}.jpg", "jpeg", 8, 8, "") for number in range(10)]
    counting, records = Counting(), Records()
    pipeline = Pipeline(images, counting, counting, NO_SINK(NoSink(), counting.array), skip)
    before = (counting.read_images, counting.runs)
    pipeline.handle(range(20), 0, 0, records)
    assert (counting.read_images - before[0], counting.runs - before[1]) == (reads, runs)
    assert not records.errors
    pipeline.verify(range(10), records)
    assert records.digests[9] == b"9.jpg"  # results are checked against those of the whole pipeline


def test_images_that_do_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.pipeline.shortcuts._MOST_BYTES", 10)
    images = [Image(f"/{number}.jpg", "jpeg", 8, 8, "") for number in range(3)]
    with pytest.raises(ConfigurationError, match="skip=fetch: keeps all images in each worker's memory"):
        from_memory(images, Counting())


def test_an_image_that_cannot_be_read_fails_as_it_would() -> None:
    class Broken(Counting):
        def read(self, image: Image) -> bytes:
            if image.name == "1.jpg":
                raise OSError("gone")
            return super().read(image)

    images = [Image(f"/{number}.jpg", "jpeg", 8, 8, "") for number in range(3)]
    broken, records = Broken(), Records()
    Pipeline(images, broken, broken, NO_SINK(NoSink(), broken.array), Skip.fetch).handle(range(3), 0, 0, records)
    assert list(records.errors) == [1]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_results_with_stages_left_out(program: Program, mode: str) -> None:
    words = [f"mode={mode}", *SMALL[1:], "protocol=once", "skip=none,fetch,preparation", "-m"]
    answer = program(*words)
    assert answer.returncode == 0, answer.stderr
    records = [json.loads(path.read_text()) for path in program.folder.glob("outputs/sweeps/*/*/*/result.json")]
    assert len(records) == 3
    assert len({trial["digest"] for record in records for trial in record["trials"]}) == 1


def test_a_slow_server_is_named_and_what_is_proposed_is_tried(program: Program) -> None:
    served = ("source.serve=true", "source.serve_latency_s=0.1")
    answer = program("diagnose", "--try", *SMALL, *served, "protocol=once", "protocol.rounds=3")
    assert answer.returncode == 0, answer.stderr
    assert "Fetch takes most" in answer.stdout
    assert "workers=4: more images are waited for at the same time" in answer.stdout
    assert "Of the preparation: decode" in answer.stdout
    record, tried = (json.loads(path.read_text()) for path in sorted(program.folder.glob("outputs/sweeps/*/*/sweep.json")))
    assert [point["name"] for point in record["points"]] == [
        "everything", "bytes in memory", "results ready", "decode", "decode+resize",
    ]  # fmt: skip
    assert [one["point"] for one in record["ranking"]] == [record["baseline"]]  # the other legs cannot be taken
    words = [" ".join(point["overrides"]) for point in tried["points"]]
    assert "workers=2" in words[0]
    assert any("workers=4" in one for one in words[1:])
    assert all("protocol.rounds=3" in one for one in words)
    assert answer.stdout.rstrip().count("Recorded in") == 2


def test_a_function_of_the_current_folder_is_diagnosed(program: Program) -> None:
    (program.folder / "mine.py").write_text("def go(data):\n    return data[:8]\n")
    words = [*SMALL[:2], *SMALL[4:], "task=function", "task.function=mine:go", "protocol=once"]
    answer = program.cold("diagnose", *words)
    assert answer.returncode == 0, answer.stderr
    assert "Where the time of an image goes" in answer.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mode=tf_data", "skip=fetch"], "skip=fetch: leaves out stages that are one graph in mode=tf_data"),
        (["protocol=race", "skip=fetch"], "skip=fetch: makes points that cannot be taken"),
    ],
)
def test_what_does_not_go_with_leaving_stages_out_is_refused(words: Sequence[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        composed(*words)


@pytest.mark.parametrize("word", ["workers=1,2", "experiment=tune", "skip=fetch", "hydra.run.dir=x", "words"])
def test_a_diagnosis_is_of_one_configuration(program: Program, word: str) -> None:
    answer = program("diagnose", word)
    assert answer.returncode == 1
    assert answer.stderr.startswith(word.partition("=")[0].partition(".")[0])
    assert not (program.folder / "outputs").exists()
