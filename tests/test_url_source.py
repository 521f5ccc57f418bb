"""source=url: what stands for images, and what becomes of servers that fail, are slow, break off or hang."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.composing import composed
from support.program import Program
from support.trials import Trials
from support.troublesome_image_server import TroublesomeServer, troublesome_image_server

from runner.config.check import plain
from runner.config.options import Process, Sample, Sequential, TfData, Thread, ThreadPool, Url
from runner.config.registry import module_of
from runner.config.restore import choices_of
from runner.errors import ConfigurationError, ImageNotFetched
from runner.pipeline import retry
from runner.pipeline.sources import images_of
from runner.pipeline.sources.addresses import Address
from runner.pipeline.sources.fetching import AsyncUrlReader, UrlReader
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.url import UrlSource

PHOTOS = {f"/{name}.jpg": Path(image.path).read_bytes() for name, image in zip("abc", images_of(Sample(), 3), strict=False)}
A = PHOTOS["/a.jpg"]


@pytest.fixture
def server() -> Iterator[TroublesomeServer]:
    with troublesome_image_server() as server:
        server.files |= PHOTOS
        yield server


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a pause is has a test of its own."""
    monkeypatch.setattr("runner.pipeline.retry.FIRST_PAUSE_S", 0.001)


def digests(source: Url, limit: int = 99) -> list[str]:
    return [image.digest for image in UrlSource(source).images(limit)]


def image_at(url: str) -> Image:
    return Image(url, "jpeg", 1, 1, "")


def expected(*names: str) -> list[str]:
    return [sha256(PHOTOS[f"/{name}.jpg"]).hexdigest() for name in names]


# ------------------------------------------------------------------------------------------ which images there are


def test_an_address_is_one_image_with_what_its_header_says(server: TroublesomeServer) -> None:
    (image,) = UrlSource(Url(url=server.url("/a.jpg"))).images(15)
    local = images_of(Sample(), 1)[0]
    assert (image.format, image.width, image.height, image.digest) == (local.format, local.width, local.height, local.digest)
    assert image.name == "a.jpg"


def test_a_list_keeps_its_order_and_is_cut_to_the_images_of_an_epoch(server: TroublesomeServer) -> None:
    source = Url(url=[server.url(path) for path in ("/c.jpg", "/a.jpg", "/b.jpg")])
    assert digests(source) == expected("c", "a", "b")
    server.asked.clear()
    assert digests(source, 2) == expected("c", "a")
    assert server.asked == {"/c.jpg": 1, "/a.jpg": 1}


def test_a_listing_has_one_address_a_line(server: TroublesomeServer) -> None:
    server.files["/list.txt"] = f"# photographs\n{server.url('/b.jpg')}\n\n  {server.url('/a.jpg')}\r\n".encode()
    assert digests(Url(url=server.url("/list.txt"))) == expected("b", "a")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty listing"), (b"# only\n", "empty listing"), (b"http://x/a.jpg\na.jpg\n", "line 2")]
)
def test_a_listing_of_something_else_is_refused(server: TroublesomeServer, content: bytes, reason: str) -> None:
    server.files["/list.txt"] = content
    with pytest.raises(ConfigurationError, match=reason):
        digests(Url(url=server.url("/list.txt")))


def test_a_page_of_links_is_a_folder(server: TroublesomeServer) -> None:
    server.files["/photos/"] = b'<a href="../">up</a> <a href="b.jpg">b</a> <a href="a.jpg">a</a> <a href="readme.txt">read</a>'
    server.files |= {f"/photos{path}": content for path, content in PHOTOS.items()}
    assert digests(Url(url=server.url("/photos/"))) == expected("a", "b")
    assert digests(Url(url=server.url("/photos/b*.jpg"))) == expected("b")


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in PHOTOS.items():
            archive.writestr(f"in{name}", content)
        archive.writestr("in/readme.md", "no image")
    return path


def test_an_archive_is_a_place_like_any_other(tmp_path: Path, server: TroublesomeServer) -> None:
    archive = zipped(tmp_path / "photos.zip")
    assert digests(Url(url=f"zip://in/*.jpg::{archive}")) == expected("a", "b", "c")
    assert digests(Url(url=f"zip://in/::{archive}")) == expected("a", "b", "c")
    assert digests(Url(url=f"zip://in/b.jpg::{archive}")) == expected("b")
    server.files["/photos.zip"] = archive.read_bytes()
    assert digests(Url(url=f"zip://in/*.jpg::{server.url('/photos.zip')}")) == expected("a", "b", "c")


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


def test_plain_http_needs_no_driver(server: TroublesomeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    without("fsspec.implementations.http", "http", monkeypatch)
    source = UrlSource(Url(url=server.url("/a.jpg")))
    source.import_drivers()
    reader = source.reader()
    assert reader.read(image_at(server.url("/a.jpg"))) == A
    reader.close()


def test_an_image_that_cannot_be_had_is_refused_before_anything_starts(server: TroublesomeServer) -> None:
    secret = server.url("/none.jpg?token=abc").replace("http://", "http://me:pw@")
    with pytest.raises(ConfigurationError) as refused:
        digests(Url(url=[server.url("/a.jpg"), secret]))
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


# ------------------------------------------------------------------------------------------------ three ways to read


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


def test_the_bytes_are_those_of_the_server_over_one_connection(server: TroublesomeServer, way: Way) -> None:
    assert way.read(server.url("/a.jpg"), times=5) == [A] * 5
    assert server.connections == 1
    assert server.asked["/a.jpg"] == 5
    assert {headers.get("X-Way") for headers in server.headers} == {None if way.name == "plain" else way.name}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_cannot_get_better_is_not_tried_again(server: TroublesomeServer, way: Way, status: int) -> None:
    with pytest.raises(ImageNotFetched, match=rf"^HTTP {status} .*after 1 attempt: http://127"):
        way.read(server.url(f"/{status}/99/a.jpg"), retries=5)
    assert server.asked[f"/{status}/99/a.jpg"] == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_get_better_is_tried_again(server: TroublesomeServer, way: Way, status: int) -> None:
    assert way.read(server.url(f"/{status}/2/a.jpg"), retries=2) == [A]
    assert server.asked[f"/{status}/2/a.jpg"] == 3


def test_retries_end(server: TroublesomeServer, way: Way) -> None:
    with pytest.raises(ImageNotFetched, match=r"^HTTP 500 .*after 3 attempts"):
        way.read(server.url("/500/99/a.jpg"), retries=2)
    assert server.asked["/500/99/a.jpg"] == 3


def test_an_answer_that_breaks_off_is_no_image(server: TroublesomeServer, way: Way) -> None:
    with pytest.raises(ImageNotFetched, match="after 2 attempts") as failed:
        way.read(server.url("/broken/a.jpg"), retries=1)
    if way.name == "plain":
        assert f"broke off after {len(A) // 2} of {len(A)} bytes" in str(failed.value)
    assert server.asked["/broken/a.jpg"] == 2


@pytest.mark.parametrize("trouble", ["hanging", "silent", "dripping", "header"])
def test_a_server_that_hangs_or_drips_is_given_up(server: TroublesomeServer, way: Way, trouble: str) -> None:
    with pytest.raises(ImageNotFetched, match=r"no whole answer within 0\.3 s, after 2 attempts"):
        way.read(server.url(f"/{trouble}/a.jpg"), retries=1, timeout_s=0.3)


def test_nobody_there_is_an_error_of_the_image(way: Way) -> None:
    with troublesome_image_server() as gone:
        url = gone.url("/a.jpg")
    with pytest.raises(ImageNotFetched, match="after 2 attempts"):
        way.read(url, retries=1)


@pytest.mark.parametrize("path", ["/a.jpg", "/chunked/a.jpg"])
def test_an_image_beyond_the_limit_is_refused_at_once(server: TroublesomeServer, way: Way, path: str) -> None:
    assert way.read(server.url(path), max_bytes=len(A)) == [A]
    server.asked.clear()
    with pytest.raises(ImageNotFetched, match=r"larger than source\.max_bytes=.*after 1 attempt"):
        way.read(server.url(path), max_bytes=len(A) - 1, retries=3)
    assert server.asked[path] == 1


def test_a_redirect_is_followed(server: TroublesomeServer, way: Way) -> None:
    assert way.read(server.url("/elsewhere/a.jpg"), times=2) == [A, A]


@pytest.mark.parametrize("trouble", ["leaving", "closing"])
def test_a_connection_that_the_server_has_closed_is_opened_again(server: TroublesomeServer, way: Way, trouble: str) -> None:
    retries = 0 if way.name == "plain" or trouble == "closing" else 1
    assert way.read(server.url(f"/{trouble}/a.jpg"), times=4, retries=retries) == [A] * 4


def test_an_address_with_odd_characters_is_read(server: TroublesomeServer, way: Way) -> None:
    server.files["/a%20%C3%A4.jpg"] = A
    assert way.read(server.url("/a ä.jpg")) == [A]


def test_many_threads_take_no_more_connections_than_there_are_of_them(server: TroublesomeServer) -> None:
    reader = UrlReader(Url(url=server.url("/a.jpg")))
    threads = [
        threading.Thread(target=lambda: [reader.read(image_at(server.url("/a.jpg"))) for _ in range(10)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert server.asked["/a.jpg"] == 80
    assert server.connections <= 8


def test_reads_wait_for_each_other_in_no_event_loop(server: TroublesomeServer) -> None:
    """All of them are under way before the first has an answer, which a reader that blocks would never reach."""
    many = 120
    reader = AsyncUrlReader(Url(url=server.url("/hanging/a.jpg"), retries=0, timeout_s=60))

    async def read() -> list[Any]:
        image = image_at(server.url("/hanging/a.jpg"))
        reads = [asyncio.ensure_future(reader.read_async(image)) for _ in range(many)]
        while server.asked["/hanging/a.jpg"] < many:  # noqa: ASYNC110  (the server is in another thread)
            await asyncio.sleep(0.01)
        server.released.set()
        answers = await asyncio.gather(*reads, return_exceptions=True)
        await reader.close_async()
        return answers

    assert len(asyncio.run(read())) == many


def test_pauses_grow_and_differ_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.1)
    drawn = [[attempts.pause_s() for _ in range(13)] for attempts in (retry.Attempts(12) for _ in range(50))]
    for number in range(12):
        whole = min(0.1 * 2**number, retry.LONGEST_PAUSE_S)
        assert all(whole / 2 <= pauses[number] <= whole for pauses in drawn)
    assert len({pauses[0] for pauses in drawn}) > 1
    assert {pauses[12] for pauses in drawn} == {None}


def test_secrets_are_in_no_message_and_no_name(server: TroublesomeServer, way: Way) -> None:
    url = server.url("/none.jpg?X-Amz-Signature=abcdef")
    with pytest.raises(ImageNotFetched) as failed:
        way.read(url)
    assert "abcdef" not in str(failed.value)
    assert image_at(url).name == "none.jpg"
    assert "abcdef" not in image_at(url).where


def test_what_takes_a_thread_of_its_own_is_not_there_before_workers_are_forked(server: TroublesomeServer) -> None:
    script = f"""
import threading
from runner.config.options import Url
from runner.pipeline.hot_path import PipelinePlan
url = {server.url("/a.jpg")!r}
plan = PipelinePlan((), "runner.pipeline.sources.url", Url(url=[url, "s3://photos/a.jpg"]), "json", None, "json", None)
plan.import_stages()
print([thread.name for thread in threading.enumerate()])
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout == "['MainThread']\n", answer.stderr


# ------------------------------------------------------------------------------------------------------------- proxies

# No name server knows it: only a proxy can be asked for it.
FAR = "http://photos.invalid/a.jpg"


@pytest.fixture
def proxy(server: TroublesomeServer, monkeypatch: pytest.MonkeyPatch) -> TroublesomeServer:
    """The server as a proxy, which is asked for whole addresses."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server.files[FAR] = A
    monkeypatch.setenv("http_proxy", server.url("").replace("//", "//me:pass%20word@"))
    return server


def test_a_proxy_is_asked_for_the_whole_address_over_one_connection_and_knows_who_asks(
    proxy: TroublesomeServer, way: Way
) -> None:
    assert way.read(FAR, times=3) == [A] * 3
    assert proxy.asked[FAR] == 3
    assert proxy.connections == 1
    assert {headers["Proxy-Authorization"] for headers in proxy.headers} == {"Basic bWU6cGFzcyB3b3Jk"}
    assert {headers["Host"] for headers in proxy.headers} == {"photos.invalid"}


def test_the_first_look_goes_through_the_proxy_too(proxy: TroublesomeServer) -> None:
    proxy.files["http://photos.invalid/in/"] = b'<a href="a.jpg">a</a>'
    proxy.files["http://photos.invalid/in/a.jpg"] = A
    assert digests(Url(url=[FAR, "http://photos.invalid/in/"])) == expected("a", "a")


def test_what_no_proxy_names_is_reached_directly(proxy: TroublesomeServer, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "photos.invalid")
    with pytest.raises(ImageNotFetched):
        way.read(FAR, retries=0)
    assert not proxy.asked


def test_servers_on_this_machine_are_reached_directly(
    server: TroublesomeServer, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert way.read(server.url("/a.jpg")) == [A]


def test_https_is_tunnelled_through_its_proxy(proxy: TroublesomeServer, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy.url(""))
    with pytest.raises(ImageNotFetched, match="501"):  # this proxy knows no CONNECT
        way.read(FAR.replace("http:", "https:"), retries=0)


def test_a_proxy_of_another_kind_is_named_in_the_message(
    proxy: TroublesomeServer, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(ImageNotFetched, match="http_proxy is socks5://, after 1 attempt") as failed:
        way.read(FAR, retries=3)
    assert "secret" not in str(failed.value)


# ------------------------------------------------------------------------------------------------------------- in trials


def in_trials(plan_of: Trials, mode: Any, source: Url, images: Any, **words: Any) -> Any:
    """Execute a trial that reads ``images`` from ``source``."""
    plan = plan_of.plan(mode, **words)
    pipeline = dataclasses.replace(plan.mode.pipeline, images=images, source_module=module_of("source", "url"), source=source)
    outcome = plan_of._supervisor.execute(
        dataclasses.replace(plan, mode=dataclasses.replace(plan.mode, pipeline=pipeline)), 240, lambda _: None
    )
    assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
    return outcome.report


@pytest.mark.parametrize("mode", [TfData(), ThreadPool(), Process(), Sequential()], ids=lambda mode: str(mode.name))
def test_every_backend_keeps_its_connections_from_image_to_image_and_epoch_to_epoch(
    trials: Trials, server: TroublesomeServer, mode: Any
) -> None:
    source = Url(url=server.url("/a.jpg"))
    images = UrlSource(source).images(15)
    before = server.connections
    report = in_trials(trials, mode, source, images, items=30, epochs=2)
    assert [len(epoch.records) for epoch in report.epochs] == [30, 30]
    assert 1 <= server.connections - before <= 2  # a worker has one


@pytest.mark.parametrize("mode", [Thread(), Process()])
@pytest.mark.parametrize("options", [None, {"headers": {"X-Way": "fsspec"}}])
def test_an_image_that_fails_is_told_and_the_epoch_goes_on(
    trials: Trials, server: TroublesomeServer, mode: Any, options: Any
) -> None:
    source = Url(url=server.url("/a.jpg"), retries=0, timeout_s=2, options=options)
    (good,) = UrlSource(source).images(1)
    paths = ["/a.jpg", "/404/99/a.jpg", "/broken/a.jpg", "/hanging/a.jpg", "/500/99/a.jpg"]
    images = [dataclasses.replace(good, path=server.url(path)) for path in paths]
    report = in_trials(trials, mode, source, images, items=10)
    (epoch,) = report.epochs
    assert {record.item: record.ok for record in epoch.records} == {item: int(item % 5 == 0) for item in range(10)}
    told = epoch.records.errors
    assert "HTTP 404" in told[1]
    assert "ImageNotFetched" in told[2]
    assert "within 2 s" in told[3]
    assert "HTTP 500" in told[4]


def test_the_record_of_a_run_from_addresses_is_that_of_the_same_files(program: Program, server: TroublesomeServer) -> None:
    listing = ",".join(server.url(path) + "?token=abcdef" for path in PHOTOS)
    common = ["protocol=once", "tracking=none", "images=6", "workers=2", "tf=single"]
    local = program("source=sample", *common)
    remote = program("source=url", f"source.url=[{listing}]".replace("=abcdef", "\\=abcdef"), "mode=process", *common)
    assert (local.returncode, remote.returncode) == (0, 0), local.stderr + remote.stderr
    records = [json.loads(path.read_text()) for path in sorted(program.folder.glob("outputs/runs/*/*/result.json"))]
    assert len({record["trials"][0]["digest"] for record in records}) == 1
    assert [[image["sha256"] for image in record["images"]] for record in records] == [expected("a", "b", "c")] * 2
    for path in program.folder.rglob("*"):
        assert not path.is_file() or "abcdef" not in path.read_text(errors="replace"), path


# ------------------------------------------------------------------------------------------------------------------ s3


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A real S3 server on loopback, with photographs in a bucket; its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **keys)
    client.create_bucket(Bucket="photos")
    for name, content in PHOTOS.items():
        client.put_object(Bucket="photos", Key=f"in{name}", Body=content)
    client.put_object(Bucket="photos", Key="in/readme.md", Body=b"no image")
    client.close()
    yield endpoint
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user has them: in the environment."""
    for name, value in {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("credentials")
def test_a_bucket_is_a_place_like_any_other(s3: str) -> None:
    options = {"endpoint_url": s3}
    assert digests(Url(url="s3://photos/in/*.jpg", options=options)) == expected("a", "b", "c")
    assert digests(Url(url="s3://photos/in/", options=options)) == expected("a", "b", "c")
    assert digests(Url(url=["s3://photos/in/b.jpg"], options={"s3": options, "http": {"headers": {}}})) == expected("b")
    with pytest.raises(ConfigurationError, match=r"s3://nowhere"):
        digests(Url(url="s3://nowhere/*.jpg", options=options))
    with pytest.raises(ConfigurationError, match=r"s3://photos/none\.jpg"):
        digests(Url(url="s3://photos/none.jpg", options=options))


@pytest.mark.usefixtures("credentials")
def test_a_bucket_is_read_in_an_event_loop_too(s3: str) -> None:
    source = UrlSource(Url(url="s3://photos/in/*.jpg", options={"endpoint_url": s3}))
    images, reader = source.images(3), source.reader()
    assert isinstance(reader, AsyncUrlReader)

    async def read() -> list[bytes]:
        try:
            return list(await asyncio.gather(*(reader.read_async(images[number % 3]) for number in range(30))))
        finally:
            await reader.close_async()

    assert asyncio.run(read()) == list(PHOTOS.values()) * 10


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("trouble", "said", "attempts"),
    [("404/99", "after 1 attempt", 1), ("403/99", "after 1 attempt", 1), ("503/99", "HTTP 503", 2), ("broken", "after 2", 2),
     ("hanging", "within 0.5 s", 2), ("dripping", "within 0.5 s", 2)],
)  # fmt: skip
def test_an_s3_server_in_trouble_is_given_up_after_as_many_attempts(
    server: TroublesomeServer, trouble: str, said: str, attempts: int
) -> None:
    """The driver's own retries are off, so that as many are made as were asked for."""
    reader = UrlReader(Url(url="s3://x/a", options={"endpoint_url": server.url("")}, retries=1, timeout_s=30))
    address = f"s3://{trouble}/a.jpg"
    reader.file_system(Address.of(address))  # on a busy machine that takes its time, and is no attempt
    if said.startswith("within"):
        reader._config.timeout_s = 0.5
    with pytest.raises(ImageNotFetched) as failed:
        reader.read(image_at(address))
    assert said in str(failed.value)
    assert server.asked[f"/{trouble}/a.jpg"] == attempts


@pytest.mark.usefixtures("credentials")
def test_workers_that_are_forked_read_from_a_bucket(s3: str, program: Program) -> None:
    words = ["source=url", "source.url=s3://photos/in/", f"source.options={{endpoint_url:'{s3}'}}"]
    answer = program(*words, "mode=process", "workers=3", "images=9", "protocol=once", "tracking=none", "tf=single")
    assert answer.returncode == 0, answer.stderr
    (path,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(path.read_text())
    assert record["metrics"]["images_ok"]["value"] == 9
    assert record["images"][0]["path"] == "s3://photos/in/a.jpg"
