"""Which images there are at an address, a list, a pattern, an archive."""

from __future__ import annotations

import dataclasses
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.composing import composed
from support.photos import photo
from support.troublesome_image_server import TroublesomeServer
from support.url_source import PHOTOS, A, digests, expected, image_at

from runner.config.options import Sample, Url
from runner.config.plain import plain
from runner.config.restore import choices_of
from runner.errors import ConfigurationError
from runner.pipeline.sources import images_of
from runner.pipeline.sources.url import UrlSource


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a pause is has a test of its own."""
    monkeypatch.setattr("runner.pipeline.retry.FIRST_PAUSE_S", 0.001)


def test_an_address_is_one_image_with_what_its_header_says(photo_server: TroublesomeServer) -> None:
    (image,) = UrlSource(Url(url=photo_server.url("/a.jpg"))).images(15)
    local = images_of(Sample(), 1)[0]
    assert (image.format, image.width, image.height, image.digest) == (local.format, local.width, local.height, local.digest)
    assert image.name == "a.jpg"


def test_a_list_keeps_its_order_and_is_cut_to_the_images_of_an_epoch(photo_server: TroublesomeServer) -> None:
    source = Url(url=[photo_server.url(path) for path in ("/c.jpg", "/a.jpg", "/b.jpg")])
    assert digests(source) == expected("c", "a", "b")
    photo_server.asked.clear()
    assert digests(source, 2) == expected("c", "a")
    assert photo_server.asked == {"/c.jpg": 1, "/a.jpg": 1}


def test_a_listing_has_one_address_a_line(photo_server: TroublesomeServer) -> None:
    photo_server.files["/list.txt"] = (
        f"# photographs\n{photo_server.url('/b.jpg')}\n\n  {photo_server.url('/a.jpg')}\r\n".encode()
    )
    assert digests(Url(url=photo_server.url("/list.txt"))) == expected("b", "a")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_listing_may_have_paths_which_begin_at_its_own_folder(photo_server: TroublesomeServer, encoding: str) -> None:
    photo_server.files["/in/list.txt"] = "b.jpg\nsub\\c.jpg\n/a.jpg\n".encode(encoding)
    photo_server.files |= {"/in/b.jpg": photo_server.files["/b.jpg"], "/in/sub/c.jpg": photo_server.files["/c.jpg"]}
    assert digests(Url(url=photo_server.url("/in/list.txt"))) == expected("b", "c", "a")


def test_a_listing_on_this_disk_may_have_paths_too(tmp_path: Path) -> None:
    photo(tmp_path / "in" / "photo (1).jpg")
    photo(tmp_path / "b.jpg")
    (tmp_path / "in" / "list.txt").write_text(f"photo (1).jpg\n{tmp_path}/b.jpg\n")
    images = images_of(Url(url=f"file://{tmp_path}/in/list.txt"), 9)
    assert [image.name for image in images] == ["photo (1).jpg", "b.jpg"]


@pytest.mark.parametrize(
    "line",
    ["file:///etc/hostname", "s3://bucket/a.jpg", "reference://a.jpg", "filecache::http://x/a.jpg", "zip://a.jpg::file:///x.zip"],
)  # fmt: skip
def test_a_servers_listing_leads_to_no_other_kind_of_place(photo_server: TroublesomeServer, line: str) -> None:
    photo_server.files["/list.txt"] = f"{photo_server.url('/a.jpg')}\n{line}\n".encode()
    with pytest.raises(ConfigurationError, match=r"own kind|evaluates|is not the address"):
        digests(Url(url=photo_server.url("/list.txt")))
    assert photo_server.asked["/a.jpg"] == 0


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty listing"), (b"# only\n", "empty listing"), (b"http://x/a.jpg\na*.jpg\n", "line 2")]
)
def test_a_listing_of_something_else_is_refused(photo_server: TroublesomeServer, content: bytes, reason: str) -> None:
    photo_server.files["/list.txt"] = content
    with pytest.raises(ConfigurationError, match=reason):
        digests(Url(url=photo_server.url("/list.txt")))


def test_a_page_of_links_is_a_folder(photo_server: TroublesomeServer) -> None:
    photo_server.files["/photos/"] = (
        b'<a href="../">up</a> <a href="b.jpg">b</a> <a href="a.jpg">a</a> <a href="readme.txt">read</a>'
    )
    photo_server.files |= {f"/photos{path}": content for path, content in PHOTOS.items()}
    assert digests(Url(url=photo_server.url("/photos/"))) == expected("a", "b")
    assert digests(Url(url=photo_server.url("/photos/b*.jpg"))) == expected("b")


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in PHOTOS.items():
            archive.writestr(f"in{name}", content)
        archive.writestr("in/readme.md", "no image")
    return path


def test_an_archive_is_a_place_like_any_other(tmp_path: Path, photo_server: TroublesomeServer) -> None:
    archive = zipped(tmp_path / "photos.zip")
    assert digests(Url(url=f"zip://in/*.jpg::{archive}")) == expected("a", "b", "c")
    assert digests(Url(url=f"zip://in/::{archive}")) == expected("a", "b", "c")
    assert digests(Url(url=f"zip://in/b.jpg::{archive}")) == expected("b")
    photo_server.files["/photos.zip"] = archive.read_bytes()
    assert digests(Url(url=f"zip://in/*.jpg::{photo_server.url('/photos.zip')}")) == expected("a", "b", "c")


def test_an_archive_is_read_by_many_threads_at_once(tmp_path: Path) -> None:
    source = UrlSource(Url(url=f"zip://in/*.jpg::{zipped(tmp_path / 'photos.zip')}"))
    images, reader = source.images(3), source.reader()
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda number: reader.read(images[number % 3]), range(96)))
    assert [sha256(data).hexdigest() for data in read[:3]] == expected("a", "b", "c")
    assert read == read[:3] * 32


def test_memory_and_files_are_places_too(tmp_path: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe({"/photos/b.jpg": PHOTOS["/b.jpg"], "/photos/a.jpg": A})
    assert digests(Url(url="memory://photos/*.jpg")) == expected("a", "b")
    assert digests(Url(url="memory://photos/")) == expected("a", "b")
    (tmp_path / "c.jpg").write_bytes(PHOTOS["/c.jpg"])
    assert digests(Url(url=f"file://{tmp_path}/*.jpg")) == expected("c")


@pytest.mark.parametrize("url", ["memory://nowhere/*.jpg", "memory://nowhere/"])
def test_what_stands_for_no_image_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"source\.url=memory://nowhere"):
        digests(Url(url=url))


def without(module: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if ``module`` were not installed."""
    import fsspec

    assert fsspec
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)


@pytest.mark.parametrize("protocol", ["s3", "gs", "http"])
def test_a_driver_that_is_missing_is_named_with_the_extra_that_brings_it(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, extra = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "http": ("fsspec.implementations.http", "url")}[protocol]
    without(module, protocol, monkeypatch)
    with pytest.raises(ConfigurationError) as refused:
        digests(Url(url=f"{protocol}://photos/*.jpg"))
    assert f"pip install 'image-pipeline-runner[{extra}]'" in str(refused.value)


def test_plain_http_needs_no_driver(photo_server: TroublesomeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    without("fsspec.implementations.http", "http", monkeypatch)
    source = UrlSource(Url(url=photo_server.url("/a.jpg")))
    source.import_drivers()
    reader = source.reader()
    assert reader.read(image_at(photo_server.url("/a.jpg"))) == A
    reader.close()


def test_an_image_that_cannot_be_had_is_refused_before_anything_starts(photo_server: TroublesomeServer) -> None:
    secret = photo_server.url("/none.jpg?token=abc").replace("http://", "http://me:pw@")
    with pytest.raises(ConfigurationError) as refused:
        digests(Url(url=[photo_server.url("/a.jpg"), secret]))
    assert refused.value.key == "source.url"
    assert "HTTP 404" in str(refused.value)
    assert "***@127.0.0.1" in str(refused.value)
    assert "token=***" in str(refused.value)
    assert "pw" not in str(refused.value)
    assert "abc" not in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://h/a.jpg?x=1&y=[2]"},
        {"url": ["http://h/a b.jpg", "zip://*.jpg::/data/it's.zip"]},
        {
            "url": "s3://b/*.jpg",
            "options": {"anon": True, "s3": {"endpoint_url": "http://h:1/", "config-kwargs": {"n": 3}}, "e": {}},
        },
    ],
)
def test_a_record_of_addresses_can_be_composed_again(fields: dict[str, Any]) -> None:
    config = dataclasses.replace(composed("source=url", "source.url=http://h/a.jpg"), source=Url(**fields))
    assert composed(*choices_of(plain(config))).source == config.source


@pytest.mark.parametrize("options", [{"a b": 1}, {"a:1,b": 2}, {"a": {"${x}": 1}}, {"a": "${oc.env:HOME}"}])
def test_a_record_cannot_smuggle_anything_in_by_the_names_of_options(options: dict[str, Any]) -> None:
    config = dataclasses.replace(
        composed("source=url", "source.url=http://h/a.jpg"), source=Url(url="http://h/a.jpg", options=options)
    )
    with pytest.raises(ConfigurationError, match=r"source\.options"):
        choices_of(plain(config))
