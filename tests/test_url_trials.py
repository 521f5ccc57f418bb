"""Trials that read from addresses, and from a bucket of an S3 server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from support.program import Program
from support.trials import Trials
from support.troublesome_image_server import TroublesomeServer
from support.url_source import PHOTOS, digests, expected, image_at

from runner.config.options import Process, Sequential, TfData, Thread, ThreadPool, Url
from runner.config.registry import module_of
from runner.errors import ConfigurationError, ImageNotFetched
from runner.pipeline.sources.addresses import Address
from runner.pipeline.sources.fetching import AsyncUrlReader, UrlReader
from runner.pipeline.sources.url import UrlSource


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a pause is has a test of its own."""
    monkeypatch.setattr("runner.pipeline.retry.FIRST_PAUSE_S", 0.001)


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
    trials: Trials, photo_server: TroublesomeServer, mode: Any
) -> None:
    source = Url(url=photo_server.url("/a.jpg"))
    images = UrlSource(source).images(15)
    before = photo_server.connections
    report = in_trials(trials, mode, source, images, items=30, epochs=2)
    assert [len(epoch.records) for epoch in report.epochs] == [30, 30]
    assert 1 <= photo_server.connections - before <= 2  # a worker has one


@pytest.mark.parametrize("mode", [Thread(), Process()])
@pytest.mark.parametrize("options", [None, {"headers": {"X-Way": "fsspec"}}])
def test_an_image_that_fails_is_told_and_the_epoch_goes_on(
    trials: Trials, photo_server: TroublesomeServer, mode: Any, options: Any
) -> None:
    source = Url(url=photo_server.url("/a.jpg"), retries=0, timeout_s=2, options=options)
    (good,) = UrlSource(source).images(1)
    paths = ["/a.jpg", "/404/99/a.jpg", "/broken/a.jpg", "/hanging/a.jpg", "/500/99/a.jpg"]
    images = [dataclasses.replace(good, path=photo_server.url(path)) for path in paths]
    report = in_trials(trials, mode, source, images, items=10)
    (epoch,) = report.epochs
    assert {record.item: record.ok for record in epoch.records} == {item: int(item % 5 == 0) for item in range(10)}
    told = epoch.records.errors
    assert "HTTP 404" in told[1]
    assert "ImageNotFetched" in told[2]
    assert "within 2 s" in told[3]
    assert "HTTP 500" in told[4]


def test_the_record_of_a_run_from_addresses_is_that_of_the_same_files(
    program: Program, photo_server: TroublesomeServer
) -> None:
    listing = ",".join(photo_server.url(path) + "?token=abcdef" for path in PHOTOS)
    common = ["protocol=once", "tracking=none", "images=6", "workers=2", "tf=single"]
    local = program("source=sample", *common)
    remote = program("source=url", f"source.url=[{listing}]".replace("=abcdef", "\\=abcdef"), "mode=process", *common)
    assert (local.returncode, remote.returncode) == (0, 0), local.stderr + remote.stderr
    records = [json.loads(path.read_text()) for path in sorted(program.folder.glob("outputs/runs/*/*/result.json"))]
    assert len({record["trials"][0]["digest"] for record in records}) == 1
    assert [[image["sha256"] for image in record["images"]] for record in records] == [expected("a", "b", "c")] * 2
    for path in program.folder.rglob("*"):
        assert not path.is_file() or "abcdef" not in path.read_text(errors="replace"), path


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
    photo_server: TroublesomeServer, trouble: str, said: str, attempts: int
) -> None:
    """The driver's own retries are off, so that as many are made as were asked for."""
    reader = UrlReader(Url(url="s3://x/a", options={"endpoint_url": photo_server.url("")}, retries=1, timeout_s=30))
    address = f"s3://{trouble}/a.jpg"
    reader.file_system(Address.of(address))  # on a busy machine that takes its time, and is no attempt
    if said.startswith("within"):
        reader._config.timeout_s = 0.5
    with pytest.raises(ImageNotFetched) as failed:
        reader.read(image_at(address))
    assert said in str(failed.value)
    assert photo_server.asked[f"/{trouble}/a.jpg"] == attempts


@pytest.mark.usefixtures("credentials")
def test_workers_that_are_forked_read_from_a_bucket(s3: str, program: Program) -> None:
    words = ["source=url", "source.url=s3://photos/in/", f"source.options={{endpoint_url:'{s3}'}}"]
    answer = program.cold(*words, "mode=process", "workers=3", "images=9", "protocol=once", "tracking=none", "tf=single")
    assert answer.returncode == 0, answer.stderr
    (path,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(path.read_text())
    assert record["metrics"]["images_ok"]["value"] == 9
    assert record["images"][0]["path"] == "s3://photos/in/a.jpg"
