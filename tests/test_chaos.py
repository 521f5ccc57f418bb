"""A few of the harms of ``make chaos``, at other moments than the tests choose."""

from __future__ import annotations

import random
import sys

import pytest
from support.chaos import _attempted, table, tried
from support.chaos_kinds import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")]


@pytest.mark.parametrize("name", ["killed at the n-th write", "conductor killed", "an image's server drips, or has no end"])
def test_the_program_survives(name: str) -> None:
    assert _attempted(KINDS[name], f"chaos-test-{name.replace(' ', '-')}", random.Random(name)) is None


def test_what_is_not_survived_is_counted_and_said() -> None:
    def harm(_: object) -> None:
        raise AssertionError("not called")

    said: list[str] = []
    assert tried({"harm": harm}, 0.0, 0, said.append) == {"harm": (0, 0)}
    assert table({"harm": (3, 2)}).splitlines()[2:] == ["| harm | 3 | 2 |", "| **all** | **3** | **2** |"]
    assert said == []
