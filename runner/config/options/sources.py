"""The sources: where images come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from runner.config import addresses
from runner.config.consent import Demand
from runner.config.fields import MISSING, name, option
from runner.config.options.base import Choices, CodeOption
from runner.errors import ConfigurationError
from runner.secrets import MASK, is_secret


class Cache(Enum):
    """What is done about the system's page cache, outside the timed epochs."""

    as_is = "as_is"  # nothing: the inspection has just read every file once
    warm = "warm"  # every file is read once before the first epoch
    cold = "cold"  # every file is dropped from the page cache before each epoch


@dataclass
class SourceOption(CodeOption):
    """What every source has."""

    package: ClassVar[str] = "runner.pipeline.sources"

    name: str = MISSING
    max_megapixels: float = option(
        500.0, "10^6 pixels up to which an image is decoded; one whose header claims more has failed", above=0, later=True
    )

    @property
    def reads_files(self) -> bool:
        """Whether workers read the images from files, and not from addresses."""
        return False

    @property
    def served(self) -> ServedOption | None:
        """This option, if a server on loopback serves its files; otherwise None."""
        return None

    @property
    def page_cache(self) -> Cache:
        """What is done about the system's page cache."""
        return Cache.as_is


@dataclass
class FilesOption(SourceOption):
    """What every source that reads files of this machine has."""

    cache: Cache = option(Cache.as_is, "what is done about the page cache before an epoch")

    @property
    def reads_files(self) -> bool:
        return True

    @property
    def page_cache(self) -> Cache:
        return self.cache


@dataclass
class ServedOption(FilesOption):
    """What every source has whose files an HTTP server on loopback can serve."""

    serve: bool = option(False, "whether the images are downloaded from a server on loopback instead of read from files")
    serve_latency_s: float = option(0.0, "seconds from a request to the first byte", at_least=0, at_most=60)
    serve_jitter_s: float = option(0.0, "seconds by which the latency varies, up and down", at_least=0, at_most=60)
    serve_bandwidth_mb_per_s: float | None = option(
        None, "bandwidth of the link that all connections share, in 10^6 bytes a second; null is no limit", above=0
    )

    def check(self, choices: Choices) -> None:
        if not self.serve:
            for field, nothing in (("serve_latency_s", 0.0), ("serve_jitter_s", 0.0), ("serve_bandwidth_mb_per_s", None)):
                if (value := getattr(self, field)) != nothing:
                    reason = "has no effect without a server"
                    raise ConfigurationError(f"source.{field}", value, reason, "source.serve=true with it")
        if self.serve_jitter_s > self.serve_latency_s:
            reason = f"is more than source.serve_latency_s={self.serve_latency_s:g}, so that latencies would be below 0"
            raise ConfigurationError("source.serve_jitter_s", self.serve_jitter_s, reason, "a number up to the latency")

    @property
    def reads_files(self) -> bool:
        return not self.serve

    @property
    def served(self) -> ServedOption | None:
        return self if self.serve else None


@dataclass
class Sample(ServedOption):
    name: str = name("sample")


@dataclass
class File(ServedOption):
    name: str = name("file")
    path: str = option(MISSING, "an image file", must_exist="the path of a readable image file")


@dataclass
class Folder(ServedOption):
    name: str = name("folder")
    path: str = option(
        MISSING, "a folder, searched with all below it", must_exist="the path of a readable folder with images in it"
    )
    pattern: str = option("*", "which file names count, as in a shell, whether letters are large or small")
    follow_links: bool = option(True, "whether linked subfolders are searched", later=True)


class ImageFormat(Enum):
    """The format of generated images."""

    jpeg = "jpeg"
    png = "png"


@dataclass
class Synthetic(ServedOption):
    name: str = name("synthetic")
    count: int = option(3, "how many different images", at_least=1, at_most=1_000_000)
    width: int = option(1900, "pixels", at_least=1, at_most=16384)
    height: int = option(1900, "pixels", at_least=1, at_most=16384)
    format: ImageFormat = option(ImageFormat.jpeg, "the file format")
    quality: int = option(90, "JPEG quality", at_least=1, at_most=100)
    progressive: bool = option(False, "JPEG in progressive scans, as many web sites serve it")
    seed: int = option(0, "another seed, other images", at_least=0)


@dataclass
class Url(SourceOption):
    name: str = name("url")
    url: Any = option(
        MISSING, "an address such as https://host/a.jpg, a list of them, a pattern, a folder ending in / or a .txt"
    )
    timeout_s: float = option(30.0, "seconds that one attempt at an image may take", above=0)
    retries: int = option(2, "attempts after the first, with growing pauses", at_least=0, at_most=100)
    max_bytes: int = option(100_000_000, "the largest image that is taken", at_least=1)
    options: Any = option(None, "settings for fsspec's driver, such as {anon: true}; credentials come from the environment")

    def check(self, choices: Choices) -> None:
        for address in addresses.given(self.url):
            addresses.refuse_evaluated("source.url", address)
        if not isinstance(self.options, dict | None):
            raise ConfigurationError("source.options", self.options, "is no mapping", "null, or a mapping such as {anon: true}")
        _refuse_secrets(self.options or {}, "source.options")

    def demands(self) -> Iterator[Demand]:
        for address in addresses.given(self.url):
            if not addresses.is_local(address):
                yield Demand("contact", "url", address)
        if set(self.options or {}) - {"anon", "requester_pays"}:  # such as an endpoint, to which credentials would go
            yield Demand("contact", "options", ", ".join(self.options), named_only=True)


@dataclass
class Tfrecord(FilesOption):
    name: str = name("tfrecord")
    path: str = option(
        MISSING,
        "an uncompressed file of tf.train.Example, or a folder with files *.tfrecord",
        must_exist="an uncompressed TFRecord file of tf.train.Example, or a folder of them",
    )
    feature: str = option("image/encoded", "the bytes feature that holds the image, not empty", matches=r".*\S.*")


def _refuse_secrets(options: Any, key: str) -> None:
    """Refuse credentials, because every record contains the configuration."""
    for name_, value in options.items() if isinstance(options, dict) else enumerate(options):
        if isinstance(value, dict | list):
            _refuse_secrets(value, f"{key}.{name_}")
        elif is_secret(str(name_)) and value not in (None, "anon"):
            accepted = "credentials in the environment or in the driver's own files"
            raise ConfigurationError(f"{key}.{name_}", MASK, "would be in every record", accepted)
