"""Photographs on a server, and three ways to read them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from runner.config.options import Sample, Url
from runner.pipeline.sources import images_of
from runner.pipeline.sources.fetching import AsyncUrlReader, UrlReader
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.url import UrlSource
from support.troublesome_image_server import TroublesomeServer, troublesome_image_server

PHOTOS = {f"/{name}.jpg": Path(image.path).read_bytes() for name, image in zip("abc", images_of(Sample(), 3), strict=False)}


A = PHOTOS["/a.jpg"]


@pytest.fixture
def photo_server() -> Iterator[TroublesomeServer]:
    with troublesome_image_server() as photo_server:
        photo_server.files |= PHOTOS
        yield photo_server


def digests(source: Url, limit: int = 99) -> list[str]:
    return [image.digest for image in UrlSource(source).images(limit)]


def image_at(url: str) -> Image:
    return Image(url, "jpeg", 1, 1, "")


def expected(*names: str) -> list[str]:
    return [sha256(PHOTOS[f"/{name}.jpg"]).hexdigest() for name in names]


class Way:
    """One of the ways in which a worker reads."""

    def __init__(self, name: str) -> None:
        self.name = name
        # A header makes it no plain request, so that fsspec's own driver does it.
        self.options = None if name == "plain" else {"headers": {"X-Way": name}}

    def read(self, url: str, *, times: int = 1, **fields: Any) -> list[bytes]:
        config = Url(url=url, options=self.options, **fields)
        if self.name != "async":
            reader = UrlReader(config)
            try:
                return [reader.read(image_at(url)) for _ in range(times)]
            finally:
                reader.close()

        async def read() -> list[bytes]:
            reader = UrlSource(config).reader()
            assert isinstance(reader, AsyncUrlReader)
            try:
                return [await reader.read_async(image_at(url)) for _ in range(times)]
            finally:
                await reader.close_async()
                reader.close()

        return asyncio.run(read())


@pytest.fixture(params=["plain", "fsspec", "async"])
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.param)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real S3 server on loopback, with photographs in a bucket; its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    photo_server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    photo_server.start()
    host, port = photo_server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="photos")
    for name, content in PHOTOS.items():
        client.put_object(Bucket="photos", Key=f"in{name}", Body=content)
    client.put_object(Bucket="photos", Key="in/readme.md", Body=b"no image")
    client.close()
    yield endpoint
    photo_server.stop()
