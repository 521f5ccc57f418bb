"""The fault matrix as a command: does harm to the program in every way there is, and holds that nothing was lost, doubled or left behind.

``python -m support.chaos --minutes 60 --seed 1`` prints how often each kind was tried, and how often it was survived; ``make chaos`` is the
same. A seed chooses the same harm at the same moments, as far as processes have the same pace.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.paths import ROOT
from support.program import processes_of
from support.small_sweep import EPOCHS, IMAGES, POINTS, ROUNDS, WORDS, rows_of
from support.warm_program import warm

# How long processes may take to notice that their program is gone, and a program to end.
_GONE_S, _LONGEST_S = 20.0, 240.0


class NotSurvivedError(AssertionError):
    """Something did not hold."""


@dataclass
class Attempt:
    """One sweep that harm is done to.

    Attributes:
        folder: the current folder of its programs; the sweep is in ``sweep``.
        draw: what is random in it.
        marker: in the environment of all its processes.
        said: what its programs printed.
    """

    folder: Path
    draw: random.Random
    marker: str
    said: list[str] = field(default_factory=list)

    @property
    def sweep(self) -> Path:
        return self.folder / "sweep"

    def started(self, *words: str, before: str = "", module: str = "runner", **environment: str) -> subprocess.Popen[str]:
        """A program; ``before`` is a line for the shell, such as a limit."""
        command = [sys.executable, "-m", module, *words]
        if before:
            command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        settings = {"TEST_MARKER": self.marker, "PYTHONPATH": path, "RUNNER_LOCK_DIR": str(self.folder)} | environment
        self.said.append(str(self.folder / f"out-{len(self.said)}.txt"))
        with Path(self.said[-1]).open("w", encoding="utf-8") as out:
            return subprocess.Popen(command, cwd=self.folder, env=os.environ | settings, stdout=out, stderr=out, text=True)

    def run(self, *words: str, **environment: str) -> tuple[int, str]:
        """The exit status of a program that no harm is done to, and what it printed; it is imported already, which takes less time."""
        settings = {"TEST_MARKER": self.marker, "RUNNER_LOCK_DIR": str(self.folder)} | environment
        answer = warm().run(self.folder, "runner.commands.dispatch", *words, **settings)
        text = answer.stdout + answer.stderr
        self.said.append(str(self.folder / f"out-{len(self.said)}.txt"))
        Path(self.said[-1]).write_text(text, encoding="utf-8")
        return answer.returncode, text

    def whole_sweep(self) -> None:
        """A sweep that no harm is done to."""
        status, text = self.run(*WORDS, "hydra.sweep.dir=sweep", "-m")
        hold(status == 0, text[-2000:])

    def ended(self, process: subprocess.Popen[str]) -> int:
        """The exit status of a program that was started."""
        try:
            return process.wait(_LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise NotSurvivedError(f"did not end within {_LONGEST_S:g} s: {self.last()[-2000:]}") from None

    def last(self) -> str:
        """What the program that was started last has printed."""
        return Path(self.said[-1]).read_text(encoding="utf-8")

    def start_sweep(
        self, *more: str, before: str = "", module: str = "runner", first: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """The sweep, begun."""
        return self.started(*first, *WORDS, *more, "hydra.sweep.dir=sweep", "-m", before=before, module=module)


Kind = Callable[[Attempt], None]


def hold(condition: object, what: str) -> None:
    """Fail unless the condition holds."""
    if not condition:
        raise NotSurvivedError(what)


def hold_nothing_is_left(attempt: Attempt) -> None:
    """No process, no traceback."""
    limit = time.monotonic() + _GONE_S
    while left := processes_of(attempt.marker):
        if time.monotonic() > limit:
            names = [" ".join(process.cmdline())[:120] for process in left if process.is_running()]
            for process in left:
                process.kill()
            raise NotSurvivedError(f"processes are left: {names}")
        time.sleep(0.1)
    for name in attempt.said:
        text = Path(name).read_text(encoding="utf-8", errors="replace")
        hold("Traceback" not in text, f"a traceback: {text[-3000:]}")


def hold_resumes_to_the_whole(attempt: Attempt) -> None:
    """Resumed, the sweep has every row once, its manifest agrees, and MLflow gets it exactly once."""
    if (attempt.sweep / "sweep.json").exists():
        status, text = attempt.run("resume=sweep")
        hold(status == 0, f"resume ended with {status}: {text[-3000:]}")
    else:
        attempt.whole_sweep()
    rows = [row for number in range(POINTS) for row in rows_of(attempt.sweep / str(number))]
    hold(len(rows) == POINTS * ROUNDS * EPOCHS * IMAGES, f"{len(rows)} rows")
    hold(all(len(set(rows_of(attempt.sweep / str(number)))) * POINTS == len(rows) for number in range(POINTS)), "rows twice")
    status, text = attempt.run("verify", "sweep")
    hold(status == 0, f"verify: {text}")


def tried(kinds: dict[str, Kind], minutes: float, seed: int, report: Callable[[str], None]) -> dict[str, tuple[int, int]]:
    """Try the kinds in turn, in a new order each time, until the time is up; returns how often each was tried and survived."""
    draw, end = random.Random(seed), time.monotonic() + minutes * 60
    counts = dict.fromkeys(kinds, (0, 0))
    number = 0
    while time.monotonic() < end:
        for name in draw.sample(sorted(kinds), len(kinds)):
            if time.monotonic() >= end:
                break
            number += 1
            wrong = _attempted(kinds[name], f"chaos-{os.getpid()}-{number}", random.Random(f"{seed}/{number}"))
            done, survived = counts[name]
            counts[name] = done + 1, survived + (wrong is None)
            if wrong is not None:
                report(f"{name}, attempt {number}: {wrong}")
    return counts


def _attempted(kind: Kind, marker: str, draw: random.Random) -> str | None:
    """What did not hold; None if all did."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    attempt = Attempt(folder, draw, marker)
    try:
        kind(attempt)
        hold_nothing_is_left(attempt)
    except NotSurvivedError as error:
        return str(error)
    finally:
        for process in processes_of(marker):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return None


def table(counts: dict[str, tuple[int, int]]) -> str:
    """As Markdown."""
    rows = [f"| {name} | {done} | {survived} |" for name, (done, survived) in counts.items()]
    whole = (
        f"| **all** | **{sum(done for done, _ in counts.values())}** | **{sum(survived for _, survived in counts.values())}** |"
    )
    return "\n".join(["| harm | tried | survived |", "|---|---|---|", *rows, whole])


def main() -> None:
    """Try, print the table, and exit with 1 if something was not survived."""
    from support.chaos_kinds import KINDS

    parser = argparse.ArgumentParser(description="Do harm to the program in every way there is.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only this one; again for each")
    arguments = parser.parse_args()
    chosen = {name: KINDS[name] for name in arguments.kind or KINDS}
    counts = tried(chosen, arguments.minutes, arguments.seed, lambda line: print(line, flush=True))  # noqa: T201
    print(table(counts))  # noqa: T201
    sys.exit(any(done != survived for done, survived in counts.values()))


if __name__ == "__main__":
    main()
