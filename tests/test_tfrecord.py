"""source=tfrecord: which images there are in a file, read from their places, and what is said of files that are no such thing."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.program import Program

from runner.config.options import Sample, Tfrecord
from runner.errors import ConfigurationError
from runner.pipeline.sources import images_of
from runner.pipeline.sources.tfrecord import TfrecordSource
from runner.pipeline.wire import masked_crc32c

PHOTOS = [Path(image.path).read_bytes() for image in images_of(Sample(), 3)]


def feature(value: Any) -> Any:
    import tensorflow as tf

    if isinstance(value[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
    if isinstance(value[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))


def example(**features: Any) -> bytes:
    import tensorflow as tf

    named = {name.replace("__", "/"): feature(value) for name, value in features.items()}
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()
    return serialized


def written(path: Path, *records: bytes, options: Any = None) -> Path:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), options) as writer:
        for record in records:
            writer.write(record)
    return path


def photographs(path: Path) -> Path:
    """Three photographs among features of every kind, as data sets have them."""
    records = [
        example(image__encoded=[photo], image__width=[640, -1], label=[b"x", b"y"], weights=[1.5, 2.0], a=[b""])
        for photo in PHOTOS
    ]
    return written(path, *records)


def read_all(config: Tfrecord) -> list[bytes]:
    source = TfrecordSource(config)
    reader = source.reader()
    try:
        return [reader.read(image) for image in source.images(99)]
    finally:
        reader.close()


def test_the_images_are_those_that_tensorflow_wrote(tmp_path: Path) -> None:
    config = Tfrecord(path=str(photographs(tmp_path / "photos.tfrecord")))
    assert read_all(config) == PHOTOS
    images, local = TfrecordSource(config).images(2), images_of(Sample(), 2)
    assert [(image.digest, image.width, image.format) for image in images] == [
        (image.digest, image.width, image.format) for image in local
    ]
    assert len({image.name for image in images}) == 2


def test_the_image_may_be_in_a_feature_of_another_name(tmp_path: Path) -> None:
    path = written(tmp_path / "x", example(image__encoded=[b"not this"], photo=[PHOTOS[0]]))
    assert read_all(Tfrecord(path=str(path), feature="photo")) == [PHOTOS[0]]


def test_records_are_read_by_many_threads_from_one_open_file(tmp_path: Path) -> None:
    source = TfrecordSource(Tfrecord(path=str(photographs(tmp_path / "photos.tfrecord"))))
    images, reader = source.images(3), source.reader()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: reader.read(images[number % 3]), range(300))) == PHOTOS * 100
    reader.close()


def test_where_there_is_no_pread_threads_share_the_place_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    test_records_are_read_by_many_threads_from_one_open_file(tmp_path)


def test_the_index_is_made_once_and_anew_when_the_file_is_another(tmp_path: Path) -> None:
    config = Tfrecord(path=str(photographs(tmp_path / "photos.tfrecord")))
    assert read_all(config) == PHOTOS
    (kept,) = Path("outputs/cache/tfrecord").iterdir()
    made = kept.stat().st_ino  # it is replaced as a whole
    assert read_all(config) == read_all(config) == PHOTOS
    assert kept.stat().st_ino == made
    written(tmp_path / "photos.tfrecord", example(image__encoded=[PHOTOS[2]]))
    assert read_all(config) == [PHOTOS[2]]
    content = kept.read_text()
    kept.write_text("{half")
    assert read_all(config) == [PHOTOS[2]]
    assert kept.read_text() == content


def test_the_conductor_reads_it_without_tensorflow(tmp_path: Path) -> None:
    path = photographs(tmp_path / "photos.tfrecord")
    script = (
        "import sys; from runner.config.options import Tfrecord; from runner.pipeline.sources import images_of\n"
        f"assert len(images_of(Tfrecord(path={str(path)!r}), 9)) == 3\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_the_checksum_is_that_of_the_format() -> None:
    # RFC 3720, B.4: the CRC-32C of 32 zero bytes is 8A9136AA; rotated right by 15 and added to as TFRecord has it.
    crc = 0x8A9136AA
    assert masked_crc32c(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def damaged(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def compressed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"no records at all"), "length of record 0, at byte 0, does not agree"),
        (lambda path: path.write_bytes(b"short"), "length of record 0, at byte 0, does not agree"),
        (compressed, "is compressed"),
        (lambda path: damaged(path, 3), "length of record 0, at byte 0, does not agree"),
        (lambda path: damaged(path, 9), "length of record 0, at byte 0, does not agree"),
        (lambda path: cut(path, path.stat().st_size - 1), r"record 2, at byte \d+, of \d+ bytes goes beyond the end"),
        (lambda path: cut(path, path.stat().st_size - 10_000), r"record 2, at byte \d+, of \d+ bytes goes beyond the end"),
        (lambda path: written(path, b"\xff\xff\xff\xff"), "record 0, at byte 12 is no tf.train.Example"),
        (lambda path: written(path, b"\x0a\x7fshort"), "record 0, at byte 12 is no tf.train.Example"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused_in_one_message(tmp_path: Path, harm: Any, reason: str) -> None:
    path = photographs(tmp_path / "photos.tfrecord")
    harm(path)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        images_of(Tfrecord(path=str(path)), 9)
    assert refused.value.key == "source.path"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"label": [1]}, "is not in record 0, at byte 12, which has label"),
        ({"image__encoded": [1, 2]}, "has integers in record 0"),
        ({"image__encoded": [1.0]}, "has numbers in record 0"),
        ({"image__encoded": [b"1", b"2"]}, "has 2 values in record 0"),
        ({}, "which has none"),
    ],
)
def test_a_record_without_the_image_is_refused_with_what_it_has(tmp_path: Path, record: Any, reason: str) -> None:
    path = written(tmp_path / "x", example(**record))
    with pytest.raises(ConfigurationError, match=reason) as refused:
        images_of(Tfrecord(path=str(path)), 9)
    assert refused.value.key == "source.feature"


def test_a_file_cut_short_after_it_was_indexed_fails_by_image(tmp_path: Path) -> None:
    source = TfrecordSource(Tfrecord(path=str(photographs(tmp_path / "photos.tfrecord"))))
    images, reader = source.images(3), source.reader()
    cut(tmp_path / "photos.tfrecord", 50_000)
    with pytest.raises(OSError, match="before the end of its record"):
        reader.read(images[2])
    reader.close()


def test_its_results_are_those_of_the_same_files(program: Program) -> None:
    photographs(program.folder / "photos.tfrecord")
    common = ["protocol=once", "tracking=none", "images=6", "workers=2", "tf=single"]
    answers = [
        program("source=sample", *common),
        program("source=tfrecord", "source.path=photos.tfrecord", "source.cache=cold", "mode=process", *common),
    ]
    assert [answer.returncode for answer in answers] == [0, 0], answers
    records = [json.loads(path.read_text()) for path in sorted(program.folder.glob("outputs/runs/*/*/result.json"))]
    assert len({record["trials"][0]["digest"] for record in records}) == 1
    assert records[1]["trials"][0]["cache"]["files"] == 1
