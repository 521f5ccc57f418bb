"""Turns: points of one sweep whose jobs run on one host at the same time are measured in interleaved rounds.

Each job is a member of a table in the sweep's folder. It may begin a trial when no other member is a round behind, and within a round
in the order that is drawn for it. Trials belong to one session, which is what pairs them in a comparison, as long as nothing came
between them: a member that joined late and catches up, a host that was idle or somebody else's for a while, begin a new one.

A member is alive as long as it holds the lock of its seat, which the system takes from a process that ends, however it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from runner.folders import write_atomically
from runner.host_lock import host_lock, reserve_host

# Within a sweep's folder.
_FOLDER = ".turns"

# So many jobs are members at a time, since each keeps a process with TensorFlow ready to be forked.
SEATS = 16

# A first trial waits until nobody has joined for so long: jobs that are started together come within seconds, and busily.
SETTLE_S = 2.0

# Trials with more time than this between them are not next to each other.
GAP_S = 10.0

# How often who waits looks whether the table has changed, and whether the others live, in seconds.
_LOOK_S = 0.5
_CHECK_S = 5.0


@dataclass(frozen=True)
class Turn:
    """A trial that may begin: the session that it belongs to, and its place in its round."""

    session: str
    order: int


@dataclass
class _Table:
    """What the members know of each other.

    Attributes:
        session: of the trials that are measured now.
        begun: the highest round of which there was a trial; -1 before the first.
        order: how many trials of that round there were.
        turn: the member that measures; None between trials.
        ended_at, joined_at: when the last trial ended and the last member came, seconds since the epoch.
        members: the round that each measures next, -1 as long as it gets ready; by their point.
    """

    session: str = ""
    begun: int = -1
    order: int = 0
    turn: str | None = None
    ended_at: float = 0.0
    joined_at: float = 0.0
    members: dict[str, int] = field(default_factory=dict)

    def remove(self, *points: str) -> None:
        for point in points:
            self.members.pop(point, None)
            if self.turn == point:
                self.turn = None
        if not self.members:  # whoever comes next knows nothing of what was before
            vars(self).update(vars(_Table()))

    def has_room(self, rounds: int) -> bool:
        """Whether one more may join; one who would have most of its rounds to itself waits for the next that begin together."""
        return not self.members or (len(self.members) < SEATS and 2 * (self.begun + 1) <= rounds)

    def settled(self) -> bool:
        return self.begun >= 0 or not 0 <= time.time() - self.joined_at < SETTLE_S

    def next(self, seed: str) -> str | None:
        """Whose turn it is: that of the member that is furthest behind; in a round they have an order of its own."""

        def place(point: str) -> tuple[int, float]:
            number = self.members[point]
            return number, random.Random(f"{seed}/{number}/{point}").random()  # noqa: S311  (an order of trials is no secret)

        return min(self.members, key=place) if self.turn is None and self.settled() and self.members else None


class Turns:
    """A point's part in the turns of its sweep on this host; a context manager, which joins and leaves.

    Args:
        sweep: folder of the sweep.
        point: what the point is called there.
        rounds: how many it is to have.
        tell: is told what is waited for, once each.
    """

    def __init__(self, sweep: Path, point: str, rounds: int, tell: Callable[[str], None]) -> None:
        self._sweep = sweep
        self._point = point
        self._rounds = rounds
        self._number = -1
        self._seed = sweep.name
        self._folder = sweep / _FOLDER / socket.gethostname()
        self._path = self._folder / "table.json"
        self._lock = FileLock(self._folder / "table.lock")
        self._seat = self._seat_of(point)
        self._told: set[str] = set()
        self._tell_user = tell

    def __enter__(self) -> Self:
        """Take a seat; waits until there is one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            seen = self._stamp()
            with contextlib.suppress(Timeout):  # another job measures the same point: the sweep was resumed too early
                self._seat.acquire(blocking=False)
                if self._joined():
                    break
                self._seat.release()
            self._tell("other points of this sweep take turns on this host already, waiting for them to end")
            self._await_change(seen, _CHECK_S)
        try:
            reserve_host(str(self._sweep), self._tell)
        except BaseException:
            self.leave()
            raise
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None) -> None:
        self.leave()
        reserve_host(None)

    def leave(self) -> None:
        """The others need not wait for this one any more; the host is the sweep's until the end of the context."""
        if not self._seat.is_locked:
            return
        with contextlib.suppress(OSError), self._changing() as table:  # they notice by the seat as well
            table.remove(self._point)
        self._seat.release()

    @contextlib.contextmanager
    def turn(self, number: int) -> Iterator[Turn]:
        """Hold the host for the trial of round ``number``, once it is this point's turn."""
        self._number = number
        with self._changing():
            pass  # whoever changes the table is in it, with the number
        while True:
            self._wait()
            with host_lock(self._tell):
                try:
                    turn = self._begin(number)
                    if turn is not None:
                        yield turn
                        return
                finally:
                    self._end()

    def _joined(self) -> bool:
        with self._lock:
            table = self._read()
            table.remove(*self._dead(table))
            if not table.has_room(self._rounds):
                return False
            table.joined_at = time.time()
            table.members[self._point] = self._number
            self._write(table)
        return True

    def _wait(self) -> None:
        """Until it is this point's turn; what a waiting process does meanwhile is to look at a time stamp twice a second."""
        while True:
            with self._lock:
                seen, table = self._stamp(), self._read()
            if table.next(self._seed) == self._point or self._point not in table.members:
                return
            if self._await_change(seen, _CHECK_S if table.settled() else _LOOK_S) or not table.settled():
                continue
            if dead := self._dead(table):
                with self._changing() as table:
                    table.remove(*dead)

    def _begin(self, number: int) -> Turn | None:
        with self._changing() as table:
            if table.next(self._seed) != self._point:
                return None
            apart = number < table.begun or not 0 <= time.time() - table.ended_at < GAP_S
            if apart or not table.session:
                name = f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{socket.gethostname()}-{os.getpid()}"
                table.session = f"{name}-{uuid.uuid4().hex[:8]}"
            if number > table.begun:
                table.begun, table.order = number, 0
            turn = Turn(table.session, table.order)
            table.order += 1
            table.turn = self._point
        return turn

    def _end(self) -> None:
        with self._changing() as table:
            if table.turn == self._point:
                table.turn, table.ended_at = None, time.time()
                self._number += 1
                table.members[self._point] = self._number

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell_user(message)

    def _seat_of(self, point: str) -> FileLock:
        return FileLock(self._folder / f"{hashlib.sha256(point.encode()).hexdigest()[:16]}.lock")

    def _dead(self, table: _Table) -> list[str]:
        """The members whose seats can be taken."""
        dead = []
        for point in table.members:
            if point != self._point:
                with contextlib.suppress(Timeout), self._seat_of(point).acquire(blocking=False):
                    dead.append(point)
        return dead

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Table]:
        """The table, to be changed; this point is in it."""
        with self._lock:
            table = self._read()
            before = asdict(table)
            table.members[self._point] = self._number
            try:
                yield table
            finally:
                if asdict(table) != before:
                    self._write(table)

    def _read(self) -> _Table:
        try:
            return _Table(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return _Table()

    def _write(self, table: _Table) -> None:
        write_atomically(self._path, lambda file: json.dump(asdict(table), file))

    def _await_change(self, seen: tuple[int, int] | None, patience_s: float) -> bool:
        """Wait for the table to be another than the one with that stamp; returns whether it is."""
        until = time.monotonic() + patience_s
        while (same := self._stamp() == seen) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        return not same

    def _stamp(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            status = self._path.stat()
            return status.st_mtime_ns, status.st_ino
        return None


def forget_turns(sweep: Path) -> None:
    """Remove what the jobs of a sweep knew of each other, unless one may still run."""
    for path in (sweep / _FOLDER).glob("*/table.json"):
        with contextlib.suppress(OSError, ValueError):
            if json.loads(path.read_text(encoding="utf-8"))["members"]:
                return
    shutil.rmtree(sweep / _FOLDER, ignore_errors=True)
