"""``source=tfrecord``: the images in a file of ``tf.train.Example``, each read from its place."""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from pathlib import Path

from runner.config.options import Tfrecord
from runner.errors import ConfigurationError
from runner.host.random_access import RandomAccessFile
from runner.pipeline.sources.image import Image, described
from runner.pipeline.sources.local import checked_file, user_path
from runner.pipeline.sources.tfrecord_index import ACCEPTED, spans


class TfrecordSource:
    """A path and the name of a feature."""

    def __init__(self, config: Tfrecord) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The images of the first ``limit`` records, in their order."""
        path = checked_file("source.path", user_path(self._config.path), ACCEPTED).absolute()
        reader = TfrecordReader(str(path))
        try:
            return tuple(_inspected(reader, span) for span in islice(spans(path, self._config.feature), limit))
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise ConfigurationError("source.path", path, reason, ACCEPTED) from error
        finally:
            reader.close()

    def reader(self) -> TfrecordReader:
        """What reads them, in a worker."""
        return TfrecordReader(str(user_path(self._config.path)))


class TfrecordReader:
    """Reads parts of one file, which it holds open."""

    def __init__(self, path: str) -> None:
        self.path = str(Path(path).absolute())
        self._file = RandomAccessFile(self.path)

    def read(self, image: Image) -> bytes:
        return self.part(image.offset or 0, image.length or 0)

    def part(self, offset: int, length: int) -> bytes:
        """So many bytes from ``offset``.

        Raises:
            OSError: the file has no longer as many.
        """
        data = self._file.read_at(offset, length)
        while len(data) < length:  # a signal, or more than one call may read
            more = self._file.read_at(offset + len(data), length - len(data))
            if not more:
                raise OSError(f"{Path(self.path).name} ends at byte {offset + len(data)}, before the end of its record")
            data += more
        return data

    def close(self) -> None:
        self._file.close()


def _inspected(reader: TfrecordReader, span: tuple[int, int]) -> Image:
    return described(reader.path, BytesIO(reader.part(*span)), span)


PROVIDES = TfrecordSource
