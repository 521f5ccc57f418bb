"""Images through a proxy."""

from __future__ import annotations

import pytest
from support.troublesome_image_server import TroublesomeServer
from support.url_source import A, Way, digests, expected

from runner.config.options import Url
from runner.errors import ImageNotFetched


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a pause is has a test of its own."""
    monkeypatch.setattr("runner.pipeline.retry.FIRST_PAUSE_S", 0.001)


# No name server knows it: only a proxy can be asked for it.
FAR = "http://photos.invalid/a.jpg"


@pytest.fixture
def proxy(photo_server: TroublesomeServer, monkeypatch: pytest.MonkeyPatch) -> TroublesomeServer:
    """The server as a proxy, which is asked for whole addresses."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    photo_server.files[FAR] = A
    monkeypatch.setenv("http_proxy", photo_server.url("").replace("//", "//me:pass%20word@"))
    return photo_server


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
    photo_server: TroublesomeServer, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert way.read(photo_server.url("/a.jpg")) == [A]


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
