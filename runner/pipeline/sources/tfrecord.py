"""``source=tfrecord``: the images in a file of ``tf.train.Example``, or in all files of a folder, each read from its place."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

from runner.config.options import Tfrecord
from runner.errors import ConfigurationError
from runner.host.random_access import RandomAccessFile
from runner.pipeline.sources.image import Image, described
from runner.pipeline.sources.local import checked_file, user_path
from runner.pipeline.sources.tfrecord_index import ACCEPTED, spans

# What the name of such a file in a folder has.
_NAME = re.compile(r"\.tfrecords?(-|$)")


class TfrecordSource:
    """A path and the name of a feature."""

    def __init__(self, config: Tfrecord) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The images of the first ``limit`` records, in their order; of a folder in that of its files' names."""
        reader = TfrecordReader()
        try:
            return tuple(islice(self._inspected(reader, limit), limit))
        finally:
            reader.close()

    def reader(self) -> TfrecordReader:
        """What reads them, in a worker."""
        return TfrecordReader()

    def _inspected(self, reader: TfrecordReader, limit: int) -> Iterator[Image]:
        for path in files(user_path(self._config.path)):
            try:
                for span in islice(spans(path, self._config.feature), limit):
                    yield described(str(path), BytesIO(reader.part(str(path), *span)), span)
            except OSError as error:
                reason = f"cannot be read: {error.strerror or error}"
                raise ConfigurationError("source.path", path, reason, ACCEPTED) from error


def files(path: Path) -> list[Path]:
    """The file, or those of a folder whose names say that they are TFRecords: ``a.tfrecord``, ``a.tfrecord-00000-of-00010``.

    Raises:
        ConfigurationError: there is none.
    """
    if not path.is_dir():
        return [checked_file("source.path", path, ACCEPTED).absolute()]
    found = sorted(entry for entry in path.iterdir() if _NAME.search(entry.name) and entry.is_file())
    if not found:
        raise ConfigurationError("source.path", path, "is a folder without a file *.tfrecord or *.tfrecord-*", ACCEPTED)
    return [checked_file("source.path", entry, ACCEPTED).absolute() for entry in found]


class TfrecordReader:
    """Reads parts of files, each of which it holds open once it has been read."""

    def __init__(self) -> None:
        self._files: dict[str, RandomAccessFile] = {}
        self._opening = threading.Lock()

    def read(self, image: Image) -> bytes:
        return self.part(image.path, image.offset or 0, image.length or 0)

    def part(self, path: str, offset: int, length: int) -> bytes:
        """So many bytes of a file from ``offset``.

        Raises:
            OSError: the file has no longer as many.
        """
        file = self._files.get(path) or self._opened(path)
        data = file.read_at(offset, length)
        while len(data) < length:  # a signal, or more than one call may read
            more = file.read_at(offset + len(data), length - len(data))
            if not more:
                raise OSError(f"{Path(path).name} ends at byte {offset + len(data)}, before the end of its record")
            data += more
        return data

    def _opened(self, path: str) -> RandomAccessFile:
        with self._opening:
            if path not in self._files:
                self._files[path] = RandomAccessFile(path)
            return self._files[path]

    def close(self) -> None:
        for file in self._files.values():
            file.close()


PROVIDES = TfrecordSource
