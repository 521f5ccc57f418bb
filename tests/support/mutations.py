"""Bytes as they come from outside: anything at all, and good ones with something changed."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# Where a change does most harm: what lengths and counts look like.
_SHARP = [
    b"\x00",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x00\x00\x00",
]


def mutated(*originals: bytes, reach: int | None = None) -> st.SearchStrategy[bytes]:
    """One of ``originals`` after some changes, within the first ``reach`` bytes of it."""
    return st.sampled_from(originals).flatmap(
        lambda data: st.lists(_changes(data, reach), min_size=1, max_size=4).map(lambda changes: _changed(data, changes))
    )


def anything_or(*originals: bytes, reach: int | None = None) -> st.SearchStrategy[bytes]:
    """Any bytes, or mutated ones."""
    return st.one_of(st.binary(max_size=300), mutated(*originals, reach=reach))


Change = tuple[str, int, int, bytes]


def _changes(data: bytes, reach: int | None) -> st.SearchStrategy[Change]:
    place = st.integers(0, min(len(data), reach or len(data)))
    return st.tuples(
        st.sampled_from(["replace", "insert", "remove", "repeat", "cut"]),
        place,
        st.integers(1, 16),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(_SHARP)),
    )


def _changed(data: bytes, changes: Sequence[Change]) -> bytes:
    for what, at, count, content in changes:
        before, after = data[:at], data[at:]
        match what:
            case "replace":
                data = before + content + after[len(content) :]
            case "insert":
                data = before + content + after
            case "remove":
                data = before + after[count:]
            case "repeat":
                data = before + after[:count] * 2 + after[count:]
            case _:
                data = before
    return data
