"""Turns: points of one sweep whose jobs run on one host at the same time are measured in interleaved rounds.

Each job is a member of a table in the sweep's folder. It may begin a trial when no other member is a round behind, and within a round
in the order that is drawn for it. Trials belong to one session, which is what pairs them in a comparison, as long as nothing came
between them: a member that joined late and catches up, a host that was idle or somebody else's for a while, begin a new one.
"""

from __future__ import annotations

import contextlib
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

import psutil
from filelock import FileLock

from runner.folders import write_atomically
from runner.host_lock import host_lock

# Within a sweep's folder.
_FOLDER = ".turns"

# So many jobs are members at a time, since each keeps a process with TensorFlow ready to be forked; others wait for a seat.
SEATS = 16

# A first trial waits until nobody has joined for so long: jobs that are started together come within seconds, and busily.
SETTLE_S = 2.0

# Trials with more time than this between them are not next to each other.
GAP_S = 10.0

# How often who waits looks whether the table has changed, and whether the others live, in seconds.
_LOOK_S = 0.5
_CHECK_S = 10.0

# When a process began is told by the clock of the day, which may be set meanwhile; a number that is used again comes far later.
_SAME_START_S = 5.0


def forget_turns(sweep: Path) -> None:
    """Remove what the jobs of a sweep, which have all ended, knew of each other."""
    shutil.rmtree(sweep / _FOLDER, ignore_errors=True)


@dataclass(frozen=True)
class Turn:
    """A trial that may begin: the session that it belongs to, and its place in its round."""

    session: str
    order: int


@dataclass
class _Member:
    """A job: its process, and the number of the round that it is to measure next; -1 until it can."""

    pid: int
    born: float
    number: int = -1

    @property
    def lives(self) -> bool:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < _SAME_START_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        return False


@dataclass
class _Table:
    """What the members know of each other.

    Attributes:
        session: of the trials that are measured now.
        begun: the highest round of which there was a trial; -1 before the first.
        order: how many trials of that round there were.
        turn: the member that measures; None between trials.
        ended_at, joined_at: when the last trial ended and the last member came, seconds since the epoch.
        members: by their point.
    """

    session: str = ""
    begun: int = -1
    order: int = 0
    turn: str | None = None
    ended_at: float = 0.0
    joined_at: float = 0.0
    members: dict[str, _Member] = field(default_factory=dict)

    def drop_dead(self) -> None:
        self.members = {key: member for key, member in self.members.items() if member.lives}
        if self.turn not in self.members:
            self.turn = None
        if not self.members:  # whoever comes next knows nothing of what was before
            vars(self).update(vars(_Table()))

    def settled(self) -> bool:
        return self.begun >= 0 or not 0 <= time.time() - self.joined_at < SETTLE_S

    def next(self, seed: str) -> str:
        """Whose turn it is: that of the member that is furthest behind; in a round they have an order of its own."""

        def place(key: str) -> tuple[int, float]:
            number = self.members[key].number
            return number, random.Random(f"{seed}/{number}/{key}").random()  # noqa: S311  (an order of trials is no secret)

        return min(self.members, key=place)


class Turns:
    """A point's part in the turns of its sweep on this host; a context manager, which joins and leaves.

    Args:
        sweep: folder of the sweep.
        point: what the point is called there.
        tell: is told what is waited for, once each.
    """

    def __init__(self, sweep: Path, point: str, tell: Callable[[str], None]) -> None:
        self._key = point
        self._seed = sweep.name
        self._folder = sweep / _FOLDER / socket.gethostname()
        self._path = self._folder / "table.json"
        self._lock = FileLock(self._folder / "table.lock")
        self._myself = _Member(os.getpid(), psutil.Process().create_time())
        self._told: set[str] = set()
        self._tell_user = tell

    def __enter__(self) -> Self:
        """Take a seat; waits until there is one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            with self._changing() as table:
                table.drop_dead()
                if len(table.members) < SEATS:
                    table.members[self._key] = self._myself
                    table.joined_at = time.time()
                    return self
            self._tell(f"{SEATS} points of this sweep take turns on this host already, waiting for one to end")
            time.sleep(_LOOK_S)

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """The others need not wait for this one any more."""
        with self._changing() as table:
            table.members.pop(self._key, None)

    @contextlib.contextmanager
    def turn(self, number: int) -> Iterator[Turn]:
        """Hold the host for the trial of round ``number``, once it is this point's turn."""
        self._myself.number = number
        with self._changing() as table:
            table.members[self._key] = self._myself
        while True:
            self._wait()
            with host_lock(self._tell):
                turn = self._begin(number)
                if turn is None:
                    continue
                try:
                    yield turn
                finally:
                    self._end(number)
                return

    def _wait(self) -> None:
        """Until it is this point's turn; what a waiting process does meanwhile is to look at a time stamp twice a second."""
        while True:
            with self._lock:
                seen, table = self._stamp(), self._read()
            if self._may_begin(table):
                return
            patience = _CHECK_S if table.settled() else _LOOK_S
            until = time.monotonic() + patience
            while self._stamp() == seen and time.monotonic() < until:
                time.sleep(_LOOK_S)
            if self._stamp() == seen and any(not member.lives for member in table.members.values()):
                with self._changing() as table:
                    table.drop_dead()

    def _may_begin(self, table: _Table) -> bool:
        return table.turn is None and table.settled() and table.next(self._seed) == self._key

    def _begin(self, number: int) -> Turn | None:
        with self._changing() as table:
            if not self._may_begin(table):
                return None
            apart = number < table.begun or not 0 <= time.time() - table.ended_at < GAP_S
            if apart or not table.session:
                table.session = (
                    f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
                )
            if number > table.begun:
                table.begun, table.order = number, 0
            turn = Turn(table.session, table.order)
            table.order += 1
            table.turn = self._key
        return turn

    def _end(self, number: int) -> None:
        self._myself.number = number + 1
        with self._changing() as table:
            table.turn, table.ended_at = None, time.time()
            table.members[self._key] = self._myself

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._tell_user(message)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Table]:
        with self._lock:
            table = self._read()
            before = asdict(table)
            try:
                yield table
            finally:
                if (after := asdict(table)) != before:
                    write_atomically(self._path, lambda file: json.dump(after, file))

    def _read(self) -> _Table:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return _Table()
        members = {key: _Member(**member) for key, member in content.pop("members").items()}
        return _Table(**content, members=members)

    def _stamp(self) -> int | None:
        with contextlib.suppress(OSError):
            return self._path.stat().st_mtime_ns
        return None
