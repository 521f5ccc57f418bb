"""``sink=file``: each result becomes a file, or a record of one."""

from __future__ import annotations

import dataclasses
import itertools
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.config.options import FileFormat, ToFile
from runner.errors import SinkError, TrialFailed
from runner.pipeline.receipts import Arrivals, Ledger, Payload, Receipt, fingerprint
from runner.pipeline.sinks.delivery import Delivery, Sent, delivery_from_arrivals, unchecked
from runner.pipeline.sinks.encodings import as_example, as_npy, as_png, item_of_example
from runner.pipeline.sinks.folders import OutputFolder, local_path, output_folder
from runner.pipeline.wire import records

_ENCODINGS: dict[FileFormat, Callable[[Any], bytes]] = {FileFormat.npy: as_npy, FileFormat.png: as_png}


class FileSink:
    """Writes below ``config.url``, which the destination has set: ``epoch-000/000000007.npy``, ``epoch-000/4711-5f68c62e-0.tfrecord``."""

    def __init__(self, config: ToFile, array: Callable[[Any], Any]) -> None:
        assert config.url is not None  # noqa: S101  (the destination has set it)
        self._array = array
        self._output = output_folder(config.url, config.timeout_s, config.retries)
        self._format = config.format
        self._ledger = Ledger()
        self._folder = ""
        # On another host there may be a process of this number.
        self._writer_name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._numbers = itertools.count()
        self._shards: dict[int, _Shard] = {}  # one for each thread
        if config.format is FileFormat.png:
            import PIL.PngImagePlugin  # noqa: F401  (now, not at the first image)

    @staticmethod
    def destination(config: ToFile, folder: Path, name: str) -> FileDestination:
        return FileDestination(config, folder, name)

    def begin(self, epoch: int) -> None:
        self._folder = f"epoch-{epoch:03d}"

    def put(self, result: Any, item: int) -> None:
        array = self._array(result)
        if self._format is FileFormat.tfrecord:
            content = as_example(array, item)
            self._shard().append(content)
            self._ledger.sent(fingerprint(item, content), len(content))
            return
        content = _ENCODINGS[self._format](array)
        mark = fingerprint(item, content)
        try:
            repeated = self._output.write(f"{self._folder}/{item:09d}.{self._format.value}", content)
        except SinkError:
            self._ledger.doubt(item, mark)  # a remote write may have come through although its answer did not
            raise
        self._ledger.sent(mark, len(content), repeated=repeated)

    def end(self) -> Receipt:
        shards, self._shards = self._shards, {}
        try:
            for shard in shards.values():
                shard.publish()
        finally:
            for shard in shards.values():
                shard.abandon()
        return self._ledger.take()

    def close(self) -> None:
        """Nothing is open between epochs."""

    def _shard(self) -> _Shard:
        thread = threading.get_ident()
        if thread not in self._shards:
            name = f"{self._folder}/{self._writer_name}-{next(self._numbers)}.tfrecord"
            self._shards[thread] = _Shard(self._output, name)
        return self._shards[thread]


class _Shard:
    """A TFRecord file that one thread writes; it gets its name when it is whole."""

    def __init__(self, output: OutputFolder, name: str) -> None:
        # TensorFlow's writer makes the checksums of the data; in Python they would take seconds.
        import tensorflow as tf

        self._output = output
        self._name = name
        self._errors = (tf.errors.OpError, OSError)
        self._records = 0
        self._broken: str | None = None
        self._scratch = output.scratch(name)
        try:
            self._writer = tf.io.TFRecordWriter(self._scratch)
        except self._errors as error:
            raise SinkError(self._cannot_write(error)) from error

    def append(self, record: bytes) -> None:
        if self._broken is None:
            try:
                self._writer.write(record)
            except self._errors as error:
                self._broken = self._cannot_write(error)
        if self._broken is not None:  # what follows half a record cannot be read
            raise SinkError(self._broken)
        self._records += 1

    def publish(self) -> None:
        """Give the file its name; one to which nothing could be written is dropped."""
        try:
            self._writer.close()
        except self._errors as error:
            self._broken = self._broken or self._cannot_write(error)
        if self._broken is None:
            self._output.publish(self._scratch, self._name)
        elif self._records:
            raise SinkError(f"{self._broken}; what had been written to this file before is lost, results: {self._records}")

    def abandon(self) -> None:
        """Leave nothing behind that was not published."""
        Path(self._scratch).unlink(missing_ok=True)

    def _cannot_write(self, error: Exception) -> str:
        # TensorFlow's messages begin with the path.
        reason = str(getattr(error, "message", error)).rpartition("; ")[2].strip()
        return f"cannot write {self._scratch}: {reason or type(error).__name__}"


class FileDestination:
    """A folder of its own for each point; each trial finds it empty."""

    def __init__(self, config: ToFile, folder: Path, name: str) -> None:
        self._url = str(folder / "sink") if config.url is None else f"{config.url.rstrip('/')}/{name}"
        self._url = local_path(self._url) or self._url
        self.config = dataclasses.replace(config, url=self._url)
        try:
            self._output = output_folder(self._url, config.timeout_s, config.retries)
            self._output.clear()
        except Exception as error:  # drivers raise what their libraries raise
            raise TrialFailed(f"sink.url: {error}", kind=type(error).__name__) from error

    def check(self, sent: Sequence[Sent], items: int) -> Delivery:
        if self._url.startswith("memory://"):
            return unchecked(sent, "none: what is in the memory of a process ends with it")
        arrived: dict[int, Arrivals] = defaultdict(Arrivals)
        for name, content in self._output.contents():
            folder, _, file = name.rpartition("/")
            for item, payload in self._results(file, content):
                arrived[int(folder.removeprefix("epoch-"))].take(item, payload)
        return delivery_from_arrivals(sent, arrived, items, "read back")

    def close(self) -> None:
        if self.config.remove:
            self._output.clear()
        else:
            self._output.tidy()

    def _results(self, file: str, content: bytes) -> Iterator[tuple[int, Payload]]:
        if self.config.format is FileFormat.tfrecord:
            view = memoryview(content)
            yield from ((item_of_example(view[start:end]), view[start:end]) for start, end in records(content))
        else:
            yield int(file.partition(".")[0]), content


PROVIDES = FileSink
