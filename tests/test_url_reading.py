"""Images over HTTP by each of three ways: what is tried again, given up, refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest
from support.troublesome_image_server import TroublesomeServer, troublesome_image_server
from support.url_source import A, Way, image_at

from runner.config.options import Url
from runner.errors import ImageNotFetched
from runner.pipeline import retry
from runner.pipeline.sources.fetching import AsyncUrlReader, UrlReader


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a pause is has a test of its own."""
    monkeypatch.setattr("runner.pipeline.retry.FIRST_PAUSE_S", 0.001)


def test_the_bytes_are_those_of_the_server_over_one_connection(photo_server: TroublesomeServer, way: Way) -> None:
    assert way.read(photo_server.url("/a.jpg"), times=5) == [A] * 5
    assert photo_server.connections == 1
    assert photo_server.asked["/a.jpg"] == 5
    assert {headers.get("X-Way") for headers in photo_server.headers} == {None if way.name == "plain" else way.name}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_cannot_get_better_is_not_tried_again(photo_server: TroublesomeServer, way: Way, status: int) -> None:
    with pytest.raises(ImageNotFetched, match=rf"^HTTP {status} .*after 1 attempt: http://127"):
        way.read(photo_server.url(f"/{status}/99/a.jpg"), retries=5)
    assert photo_server.asked[f"/{status}/99/a.jpg"] == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_get_better_is_tried_again(photo_server: TroublesomeServer, way: Way, status: int) -> None:
    assert way.read(photo_server.url(f"/{status}/2/a.jpg"), retries=2) == [A]
    assert photo_server.asked[f"/{status}/2/a.jpg"] == 3


def test_retries_end(photo_server: TroublesomeServer, way: Way) -> None:
    with pytest.raises(ImageNotFetched, match=r"^HTTP 500 .*after 3 attempts"):
        way.read(photo_server.url("/500/99/a.jpg"), retries=2)
    assert photo_server.asked["/500/99/a.jpg"] == 3


def test_an_answer_that_breaks_off_is_no_image(photo_server: TroublesomeServer, way: Way) -> None:
    with pytest.raises(ImageNotFetched, match="after 2 attempts") as failed:
        way.read(photo_server.url("/broken/a.jpg"), retries=1)
    if way.name == "plain":
        assert f"broke off after {len(A) // 2} of {len(A)} bytes" in str(failed.value)
    assert photo_server.asked["/broken/a.jpg"] == 2


@pytest.mark.parametrize("trouble", ["hanging", "silent", "dripping", "header"])
def test_a_server_that_hangs_or_drips_is_given_up(photo_server: TroublesomeServer, way: Way, trouble: str) -> None:
    with pytest.raises(ImageNotFetched, match=r"no whole answer within 0\.3 s, after 2 attempts"):
        way.read(photo_server.url(f"/{trouble}/a.jpg"), retries=1, timeout_s=0.3)


def test_nobody_there_is_an_error_of_the_image(way: Way) -> None:
    with troublesome_image_server() as gone:
        url = gone.url("/a.jpg")
    with pytest.raises(ImageNotFetched, match="after 2 attempts"):
        way.read(url, retries=1)


@pytest.mark.parametrize("path", ["/a.jpg", "/chunked/a.jpg"])
def test_an_image_beyond_the_limit_is_refused_at_once(photo_server: TroublesomeServer, way: Way, path: str) -> None:
    assert way.read(photo_server.url(path), max_bytes=len(A)) == [A]
    photo_server.asked.clear()
    with pytest.raises(ImageNotFetched, match=r"larger than source\.max_bytes=.*after 1 attempt"):
        way.read(photo_server.url(path), max_bytes=len(A) - 1, retries=3)
    assert photo_server.asked[path] == 1


def test_a_redirect_is_followed(photo_server: TroublesomeServer, way: Way) -> None:
    assert way.read(photo_server.url("/elsewhere/a.jpg"), times=2) == [A, A]


@pytest.mark.parametrize("trouble", ["leaving", "closing"])
def test_a_connection_that_the_server_has_closed_is_opened_again(
    photo_server: TroublesomeServer, way: Way, trouble: str
) -> None:
    retries = 0 if way.name == "plain" or trouble == "closing" else 1
    assert way.read(photo_server.url(f"/{trouble}/a.jpg"), times=4, retries=retries) == [A] * 4


def test_an_address_with_odd_characters_is_read(photo_server: TroublesomeServer, way: Way) -> None:
    photo_server.files["/a%20%C3%A4.jpg"] = A
    assert way.read(photo_server.url("/a ä.jpg")) == [A]


def test_many_threads_take_no_more_connections_than_there_are_of_them(photo_server: TroublesomeServer) -> None:
    reader = UrlReader(Url(url=photo_server.url("/a.jpg")))
    threads = [
        threading.Thread(target=lambda: [reader.read(image_at(photo_server.url("/a.jpg"))) for _ in range(10)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert photo_server.asked["/a.jpg"] == 80
    assert photo_server.connections <= 8


def test_reads_wait_for_each_other_in_no_event_loop(photo_server: TroublesomeServer) -> None:
    """All of them are under way before the first has an answer, which a reader that blocks would never reach."""
    many = 120
    reader = AsyncUrlReader(Url(url=photo_server.url("/hanging/a.jpg"), retries=0, timeout_s=60))

    async def read() -> list[Any]:
        image = image_at(photo_server.url("/hanging/a.jpg"))
        reads = [asyncio.ensure_future(reader.read_async(image)) for _ in range(many)]
        while photo_server.asked["/hanging/a.jpg"] < many:  # noqa: ASYNC110  (the server is in another thread)
            await asyncio.sleep(0.01)
        photo_server.released.set()
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


def test_secrets_are_in_no_message_and_no_name(photo_server: TroublesomeServer, way: Way) -> None:
    url = photo_server.url("/none.jpg?X-Amz-Signature=abcdef")
    with pytest.raises(ImageNotFetched) as failed:
        way.read(url)
    assert "abcdef" not in str(failed.value)
    assert image_at(url).name == "none.jpg"
    assert "abcdef" not in image_at(url).where


def test_what_takes_a_thread_of_its_own_is_not_there_before_workers_are_forked(photo_server: TroublesomeServer) -> None:
    script = f"""
import threading
from runner.config.options import Url
from runner.pipeline.hot_path import PipelinePlan
url = {photo_server.url("/a.jpg")!r}
plan = PipelinePlan((), "runner.pipeline.sources.url", Url(url=[url, "s3://photos/a.jpg"]), "json", None, "json", None)
plan.import_stages()
print([thread.name for thread in threading.enumerate()])
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert answer.stdout == "['MainThread']\n", answer.stderr
