"""Whatever stands in ``source.url``, in ``sink.url`` or in a listing is an address, several, or refused in words."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import fsspec
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runner.config.addresses import ADDRESS
from runner.config.addresses import given as addresses_in
from runner.config.fields import Rule
from runner.config.options import ToHttp, Url
from runner.errors import ConfigurationError
from runner.pipeline.sinks.http import HttpSink
from runner.pipeline.sources.addresses import Address, expanded
from runner.pipeline.sources.fetching import can_wait
from runner.pipeline.sources.http_client import HttpClient
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.url import UrlSource
from runner.secrets import MASK, masked

SHARP = st.text(alphabet=":/?#[]@!$&'()*+,;=%.\\ \t\u00e9\ufeff0aZ", max_size=20)
PARTS = st.one_of(
    st.text(max_size=10), SHARP, st.sampled_from(["a.jpg", "user:pw@host", "[::1]:80", "host:99999", "[old]", "::", "*"])
)
PROTOCOLS = st.one_of(
    st.sampled_from(["http", "https", "file", "memory", "s3", "zip", "HTTP"]),
    st.from_regex(r"[a-z][a-z0-9+.-]{0,5}", fullmatch=True),
)
ADDRESSES = st.builds("{}://{}/{}".format, PROTOCOLS, PARTS, PARTS)
CHAINED = st.one_of(ADDRESSES, st.builds("{}::{}".format, ADDRESSES, ADDRESSES))


@given(
    st.one_of(
        CHAINED,
        st.text(),
        st.lists(st.one_of(CHAINED, st.text(), st.none(), st.integers()), max_size=4),
        st.none(),
        st.floats(),
    )
)
def test_anything_in_source_url_is_addresses_or_refused_in_words(value: Any) -> None:
    try:
        entries = addresses_in(value)
    except ConfigurationError:
        return
    assert entries == (value if isinstance(value, list) else [value])
    assert all(ADDRESS.fullmatch(entry) for entry in entries)


@given(CHAINED)
def test_an_address_is_looked_at_without_an_error_whatever_is_in_it(text: str) -> None:
    assume(ADDRESS.fullmatch(text))
    address = Address.of(text)
    assert str(address) in {text, text.removesuffix("::")}
    assert all(
        isinstance(answer, bool) for answer in (address.many, address.is_listing, can_wait(address), HttpClient.takes(text))
    )
    image = Image(text, "jpeg", 1, 1, "")
    assert image.name
    assert image.where == masked(text)
    assert not image.in_file
    with contextlib.suppress(ConfigurationError):
        UrlSource(Url(url=text)).import_drivers()


@given(st.sampled_from(sorted(fsspec.available_protocols())))
def test_a_protocol_is_there_or_its_package_is_named(protocol: str) -> None:
    with contextlib.suppress(ConfigurationError):
        UrlSource(Url(url=f"{protocol}://there/a.jpg")).import_drivers()


def listed(content: bytes) -> Sequence[str]:
    return list(expanded(["memory://list.txt"], no_file_system, lambda _: content))


def no_file_system(address: Address) -> tuple[Any, str]:
    raise AssertionError(address)


ENCODINGS = {"utf-8": b"", "utf-8-sig": b"", "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
SINGLE = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["http", "file", "memory"]),
    st.from_regex(r"[a-z]{1,5}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="*"), min_size=1, max_size=10),
).filter(lambda text: text == text.strip() and not Address.of(text).many)


@given(
    st.lists(SINGLE, min_size=1, max_size=4),
    st.sampled_from(sorted(ENCODINGS)),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["{}", "\t{} ", "# a comment{end}{}", "{end}{}{end}"]),
)
@example(["file://a/b\u2028c", "file://a/d"], "utf-8", "\n", "{}")
def test_a_listing_gives_its_addresses_however_its_text_is_encoded(
    addresses: list[str], encoding: str, end: str, line: str
) -> None:
    text = "".join(line.replace("{end}", end).replace("{}", address) + end for address in addresses)
    assert listed(ENCODINGS[encoding] + text.encode(encoding)) == addresses


@given(
    st.one_of(
        st.binary(),
        st.lists(st.one_of(CHAINED, st.text()), max_size=4).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
    )
)
@example(b"a." * 100_000)
@example(b"\xff\xfe\x00")
def test_any_bytes_are_a_listing_or_refused_in_words(content: bytes) -> None:
    try:
        addresses = listed(content)
    except ConfigurationError as error:
        refusal = error
    else:
        assert addresses
        assert all(ADDRESS.fullmatch(address) and not Address.of(address).many for address in addresses)
        return
    assert len(str(refusal)) < 2000


@given(PROTOCOLS, st.from_regex(r"[A-Za-z0-9:.%+-]{1,10}", fullmatch=True), PARTS)
@example("http", "user:pw", "a." * 100_000)
def test_credentials_never_show(protocol: str, credentials: str, rest: str) -> None:
    shown = masked(f"{protocol}://{credentials}@{rest}")
    assert shown.startswith(f"{protocol}://{MASK}@")


@given(st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), PARTS, st.one_of(st.just(""), PARTS)))
def test_an_address_that_sink_url_accepts_can_be_sent_to(url: str) -> None:
    option = ToHttp(url=url)
    rule: Rule = next(spec.metadata["rule"] for name, spec in ToHttp.__dataclass_fields__.items() if name == "url")
    if rule.broken_by(url):
        return
    try:
        option.check(no_choices())
    except ConfigurationError:
        return
    with closing(HttpSink(option, lambda result: result)):
        pass


def no_choices() -> Any:
    """Nothing else is looked at."""
