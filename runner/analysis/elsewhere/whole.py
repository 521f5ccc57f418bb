"""A JSON file as a whole: its content, and the line on which any part of it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.analysis.elsewhere.values import BadFile

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True)
class Whole:
    """The text of a JSON file, and what is in it."""

    text: str
    content: Mapping[str, Any]

    def bad(self, path: Sequence[str | int], why: str) -> BadFile:
        """That something is wrong with the part at this path: keys and places from the top."""
        line = next((line for at, line in self._parts() if at == tuple(path)), 1)
        return BadFile(line, why)

    def objects(self, path: Sequence[str | int], part: Any) -> list[Mapping[str, Any]]:
        """``part``, which stands at ``path``, as a list of objects.

        Raises:
            BadFile: it is none, or an empty one.
        """
        if not isinstance(part, list) or not part:
            raise self.bad(path, f"{path[-1]} is no list with something in it")
        for place, one in enumerate(part):
            if not isinstance(one, dict):
                raise self.bad([*path, place], f"{path[-1]}[{place}] is no object")
        return part

    def _parts(self) -> Iterator[tuple[tuple[str | int, ...], int]]:
        """The path of each value with the line on which it begins."""
        path: list[str | int] = []
        key, line, seen = False, 1, 0
        for match in _PIECE.finditer(self.text):
            piece = match[0]
            line += self.text.count("\n", seen, match.start())
            seen = match.start()
            if piece in "}]":
                path.pop()
            elif piece == ",":
                last = path[-1]
                key = isinstance(last, str)
                path[-1] = last + 1 if isinstance(last, int) else last
            elif piece != ":" and key:
                path[-1], key = piece[1:-1], False
            elif piece != ":":
                yield tuple(path), line
                if piece in "{[":
                    path.append("" if piece == "{" else 0)
                    key = piece == "{"
