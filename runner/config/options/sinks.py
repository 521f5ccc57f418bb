"""The sinks: where results go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar
from urllib.parse import urlsplit

from runner.config import addresses
from runner.config.consent import Demand
from runner.config.fields import MISSING, name, option
from runner.config.options.base import Choices, CodeOption
from runner.errors import ConfigurationError, first_line
from runner.secrets import masked


@dataclass
class SinkOption(CodeOption):
    """What every sink has."""

    package: ClassVar[str] = "runner.pipeline.sinks"

    name: str = MISSING


@dataclass
class NoSink(SinkOption):
    code: ClassVar[str] = "runner.pipeline.sinks.none_"

    name: str = name("none")


class FileFormat(Enum):
    """What a result is written as."""

    npy = "npy"
    png = "png"
    tfrecord = "tfrecord"


@dataclass
class ToFile(SinkOption):
    name: str = name("file")
    format: FileFormat = option(FileFormat.npy, "what a result is written as")
    url: str | None = option(
        None, "a folder, or an fsspec URL such as s3://bucket/prefix; by default sink/ in the point's folder"
    )
    remove: bool = option(False, "whether the files are removed after each trial")
    timeout_s: float = option(30.0, "seconds for one attempt at a remote file", above=0)
    retries: int = option(3, "further attempts at a remote file, after pauses that double", at_least=0, at_most=100)

    def check(self, choices: Choices) -> None:
        if self.url is None:
            return
        key, shown, accepted = (
            "sink.url",
            masked(self.url),
            "a folder, or an fsspec URL that can be written to: s3://bucket/prefix",
        )
        scheme, separator, _ = self.url.partition("://")
        if not self.url.strip():
            raise ConfigurationError(key, shown, "is empty", accepted)
        if not separator:
            return
        addresses.refuse_evaluated(key, self.url)
        if scheme in {"http", "https"}:
            raise ConfigurationError(
                key, shown, "is a web server, which has no folders to write to", "sink=http, or " + accepted
            )
        from fsspec import get_filesystem_class

        try:
            get_filesystem_class(scheme)
        except ValueError:
            raise ConfigurationError(key, shown, f"fsspec knows no {scheme}://", accepted) from None
        except ImportError as error:
            reason = str(error).strip().rstrip(".")
            raise ConfigurationError(key, shown, reason, "an environment with that package") from None

    def demands(self) -> Iterator[Demand]:
        if self.url is None:  # in the folder of the run
            return
        if not addresses.is_local(self.url):
            yield Demand("contact", "url", self.url)
        yield Demand("write", "url", self.url)
        if self.remove:
            yield Demand("remove", "remove", "true")

    @property
    def uses_tensorflow(self) -> bool:
        return self.format is FileFormat.tfrecord


class Payload(Enum):
    """What is sent of a result."""

    digest = "digest"
    array = "array"


@dataclass
class ToHttp(SinkOption):
    name: str = name("http")
    payload: Payload = option(Payload.array, "what is sent of a result")
    url: str | None = option(
        None,
        "an address such as http://host:8080/results; by default a receiver on this machine is started",
        matches=r"https?://(\S+@)?(\[[0-9a-fA-F:]+\]|[^\s/:@?#\[\]]+)(:\d{1,5})?([/?]\S*)?",
    )
    latency_s: float = option(0.0, "seconds after which the receiver on this machine answers", at_least=0, at_most=3600)
    timeout_s: float = option(10.0, "seconds without an answer after which an attempt has failed", above=0)
    retries: int = option(3, "further attempts after a failure that may pass, with pauses that double", at_least=0, at_most=100)

    def check(self, choices: Choices) -> None:
        if self.url is None:
            return
        if self.latency_s:
            reason = "only applies to the receiver that this program starts, where sink.url is null"
            raise ConfigurationError("sink.latency_s", self.latency_s, reason, "0 with a server of your own")
        from urllib3.util import parse_url

        try:
            urlsplit(self.url).port  # noqa: B018  (reading it checks it)
            if not parse_url(self.url).host:
                raise ValueError("has no host")  # noqa: TRY301  (one message for all that is wrong with it)
        except ValueError as error:
            reason, accepted = masked(first_line(error))[:200], "an address such as http://host:8080/results"
            raise ConfigurationError("sink.url", masked(self.url), reason, accepted) from None

    def demands(self) -> Iterator[Demand]:
        if self.url is not None:
            yield Demand("contact", "url", self.url)
