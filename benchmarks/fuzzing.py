"""Every reader of what comes from outside, given millions of inputs by atheris, which looks for those that reach new code.

pip install atheris
python benchmarks/fuzzing.py READER [--runs 1000000] [--corpus FOLDER]

An error that is not one of the program's own ends it, and the input is written to the current folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["runner"]):
    from runner.config import resume
    from runner.config.recorded_words import check_words
    from runner.config.restore import choices_of
    from runner.errors import RunnerError
    from runner.outside import in_one_line
    from runner.pipeline.sources.addresses import expanded
    from runner.record import gate
    from runner.record.manifest_schema import ManifestJson
    from runner.record.point_schema import ResultJson
    from runner.record.sweep_schema import SweepJson
    from runner.secrets import masked, masked_override

_RECORDS = Path(__file__).resolve().parents[1] / "tests" / "records" / "schema_1"


def _record(kind: Any) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        vars(gate)["bytes_of"] = lambda _path, _most: data
        content = gate.read_record(Path("result.json"), kind)
        if kind is ResultJson:
            choices_of(content["config"])
        for word in content.get("overrides", ()):
            check_words([word], "overrides")

    return read


def _short_result() -> bytes:
    """A record of one trial."""
    record = json.loads((_RECORDS / "0" / "result.json").read_bytes())
    return json.dumps(record | {"trials": record["trials"][:1], "images": record["images"][:1]}, separators=(",", ":")).encode()


def _multirun(data: bytes) -> None:
    vars(resume)["bytes_of"] = lambda _path, _most: data
    task, hydra = resume._words_of(Path(), "FOLDER")  # noqa: SLF001  (what reads it)
    check_words([*task, *hydra], "resume")


def _listing(data: bytes) -> None:
    for _ in expanded(["https://host/in/list.txt"], _none, lambda _: data):
        pass


def _none(address: object) -> Any:
    raise AssertionError(address)


def _text(data: bytes) -> None:
    """Whatever the text, it is masked, and a password never shows."""
    text = data.decode(errors="replace")
    masked(text)
    masked_override(text)
    password = "".join(letter for letter in text if letter not in ":\n\\")  # another address in it would be one of its own
    if "Pl4nted" in masked(f"http://ann:Pl4nted{password}@host/a.jpg"):
        raise AssertionError(in_one_line(text))


READERS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "result": (_record(ResultJson), [_short_result()]),
    "sweep": (_record(SweepJson), [(_RECORDS / "sweep.json").read_bytes()]),
    "manifest": (_record(ManifestJson), [json.dumps({"schema_version": 1, "files": {"a": {"bytes": 1, "sha256": "0" * 64}}}).encode()]),
    "multirun": (_multirun, [b"hydra: {overrides: {task: [workers=1], hydra: ['hydra.mode=MULTIRUN']}, mode: RUN}"]),
    "listing": (_listing, [b"https://host/a.jpg\n# no\nb.jpg\n", b"\xff\xfea\0", b"zip://a::https://host/b.zip\n"]),
    "masking": (_text, [b"http://a:b@h/c?d=e&f=g", b"Authorization: Bearer x.y", b"{'api_key': 'x'} token=y"]),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--corpus", type=Path, help="where inputs that reach new code are kept; by default nowhere")
    arguments = parser.parse_args()
    read, seeds = READERS[arguments.reader]

    def one(data: bytes) -> None:
        try:
            read(data)
        except RunnerError as error:
            if not str(error).strip():
                raise

    with tempfile.TemporaryDirectory() as scratch:
        corpus = arguments.corpus or Path(scratch)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        words = [sys.argv[0], f"-atheris_runs={arguments.runs}", "-max_len=20000", "-timeout=30", "-verbosity=1", str(corpus)]
        atheris.Setup(words, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
