"""The kinds of harm of ``support.chaos``."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

import psutil

from support.chaos import Attempt, Kind, hold, hold_resumes_to_the_whole
from support.program import processes_of
from support.stores import runs_at


def _which(attempt: Attempt, conductor: int) -> dict[str, list[psutil.Process]]:
    """The attempt's processes by what they are."""
    kinds = ("conductor", "trial", "worker", "fork server", "workers' fork server", "tracker")
    found: dict[str, list[psutil.Process]] = {kind: [] for kind in kinds}
    for process in processes_of(attempt.marker):
        with contextlib.suppress(psutil.Error):
            line, parent = " ".join(process.cmdline()), process.ppid()
            if process.pid == conductor:
                found["conductor"].append(process)
            elif "resource_tracker" in line:
                found["tracker"].append(process)
            elif parent == conductor:
                found["fork server"].append(process)
            elif "forkserver" in line and line != " ".join(
                psutil.Process(parent).cmdline()
            ):  # what is forked has its parent's line
                found["workers' fork server"].append(process)
            else:
                above = psutil.Process(parent).ppid()
                found["trial" if above == conductor else "worker"].append(process)
    return found


def _hit(attempt: Attempt, process: subprocess.Popen[str], whom: str, deeds: Callable[[psutil.Process], None]) -> bool:
    """Do it to one of them at a random moment; returns whether there was one."""
    time.sleep(attempt.draw.uniform(0.2, 1.5))
    limit = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < limit:
        if victims := _which(attempt, process.pid)[whom]:
            time.sleep(attempt.draw.uniform(0, 0.3))
            with contextlib.suppress(psutil.Error):
                deeds(attempt.draw.choice(victims))
                return True
        time.sleep(0.01)
    return False


def _killed(whom: str, attempt: Attempt) -> None:
    more = ("mode=process,process_pool", "mode.start_method=choice(forkserver)") if whom == "workers' fork server" else ()
    process = attempt.start_sweep(*_MODES, *more)
    was_hit = _hit(attempt, process, whom, lambda victim: victim.kill())
    status = attempt.ended(process)
    hold(was_hit or not status, f"nobody was killed, and it ended with {status}: {attempt.last()[-2000:]}")
    hold_resumes_to_the_whole(attempt)


_MODES = ("mode=process,thread", "workers=2")


def _stopped(whom: str, attempt: Attempt) -> None:
    """Stopped for two seconds, as by a suspended machine; a whole stop is a matter of deadlines, which tests look at."""

    def stop(victim: psutil.Process) -> None:
        victim.suspend()
        time.sleep(2)
        victim.resume()

    process = attempt.start_sweep(*_MODES)
    _hit(attempt, process, whom, stop)
    hold(attempt.ended(process) == 0, f"stopped for two seconds: {attempt.last()[-2000:]}")
    hold_resumes_to_the_whole(attempt)


def _signalled(number: signal.Signals, attempt: Attempt) -> None:
    process = attempt.start_sweep()
    time.sleep(attempt.draw.uniform(1.5, 4))  # before its first line the program has no handler
    process.send_signal(number)
    status = attempt.ended(process)
    hold(status in {0, 130}, f"ended with {status}: {attempt.last()[-2000:]}")
    hold_resumes_to_the_whole(attempt)


# How many steps the sweep takes to write its record, and more; each is tried once before one is tried again.
_STEPS = 90
_orders: dict[str, Iterator[int]] = {}


def _write(deed: str, attempt: Attempt) -> None:
    number = next(_orders.setdefault(deed, cycle(attempt.draw.sample(range(1, _STEPS + 1), _STEPS))))
    process = attempt.start_sweep(module="support.failing_disk", first=(deed, str(number)))
    status = attempt.ended(process)
    hold(
        status in {0, 1} if deed == "fail" else status in {0, -9},
        f"step {number}: ended with {status}: {attempt.last()[-2000:]}",
    )
    hold_resumes_to_the_whole(attempt)


def _limited(before: str, attempt: Attempt) -> None:
    """Less than it takes, or just enough: it ends by itself, and says why."""
    process = attempt.start_sweep(*_MODES, before=before)
    status = attempt.ended(process)
    hold(status in {0, 1}, f"{before}: ended with {status}: {attempt.last()[-2000:]}")
    if status and not (attempt.sweep / "sweep.json").exists():
        hold(attempt.last().strip(), "not a word")
        return
    failed = [record for record in _records(attempt) if record["status"] == "failed"]
    if not failed:  # a point that failed by its limit is not tried again
        hold_resumes_to_the_whole(attempt)


def _records(attempt: Attempt) -> Iterator[dict[str, object]]:
    for path in attempt.sweep.glob("*/result.json"):
        yield json.loads(path.read_text())


def _hostile(attempt: Attempt) -> None:
    """A file of the record is damaged: every verb refuses it, or does without."""
    attempt.whole_sweep()
    path = attempt.draw.choice([path for path in sorted(attempt.sweep.rglob("*")) if path.is_file()])
    data = bytearray(path.read_bytes())
    for _ in range(attempt.draw.randint(1, 20)):
        place = attempt.draw.randrange(len(data) + 1)
        data[place : place + attempt.draw.randint(0, 4)] = attempt.draw.randbytes(attempt.draw.randint(0, 4))
    path.write_bytes(data)
    verbs = (("report",), ("report", "--terminal"), ("verify",), ("gather",), ("compare",), ("recommend",), ("export", "--csv"))
    for verb in attempt.draw.sample(verbs, 3):
        status, text = attempt.run(*verb, "sweep")
        hold(status in {0, 1}, f"{path.name}, {verb}: {status}: {text[-1000:]}")
        hold("Traceback" not in text, f"{path.relative_to(attempt.sweep)}, {verb}: {text[-3000:]}")


def _store(attempt: Attempt) -> None:
    """Programs that log the sweep are killed; the next one logs it, and once only."""
    attempt.whole_sweep()
    uri = f"sqlite:///{attempt.folder}/mlflow.db"
    for _ in range(2):
        process = attempt.started("sync", "sweep", "--uri", uri)
        time.sleep(attempt.draw.uniform(2.0, 9.0))
        process.kill()
        process.wait()
    status, text = attempt.run("sync", "sweep", "--uri", uri)
    hold(status == 0, text[-2000:])
    keys = [run["tags"]["record"] for run in runs_at(uri)]
    hold(len(keys) == len(set(keys)) == 3, f"{len(keys)} runs of {len(set(keys))} records")
    hold({run["status"] for run in runs_at(uri)} == {"FINISHED"}, "a run that is not finished")


def _dripping(what: str, attempt: Attempt) -> None:
    """A server that sends a byte now and then, or without end."""
    with _server(endless=attempt.draw.random() < 0.5) as url:
        began = time.monotonic()
        if what == "image":
            words = (
                "source=url",
                f"source.url={url}/a.jpg",
                "source.timeout_s=2",
                "source.retries=1",
                "source.max_bytes=1000000",
            )
            status, text = attempt.run("task=pillow", "mode=thread", "protocol=once", "images=1", "tracking=none", *words)
            hold(status == 1, f"{status}: {text[-2000:]}")
        else:
            attempt.whole_sweep()
            status, text = attempt.run("sync", "sweep", "--uri", url, MLFLOW_HTTP_REQUEST_TIMEOUT="2")
            hold(status == 1, f"{status}: {text[-2000:]}")
        hold(time.monotonic() - began < 120, "beyond every deadline")


@contextlib.contextmanager
def _server(*, endless: bool) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                while True:
                    connection.sendall(b" " * (1 << 20 if endless else 1))
                    time.sleep(0.0 if endless else 0.5)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform != "win32":
    _SIGNALS.append(signal.SIGHUP)

KINDS: dict[str, Kind] = {
    **{
        f"{whom} killed": partial(_killed, whom)
        for whom in ("conductor", "trial", "worker", "fork server", "workers' fork server", "tracker")
    },
    **{f"{whom} stopped for 2 s": partial(_stopped, whom) for whom in ("conductor", "trial", "worker", "fork server")},
    **{f"{number.name} to the program": partial(_signalled, number) for number in _SIGNALS},
    "disk full at the n-th write": partial(_write, "fail"),
    "killed at the n-th write": partial(_write, "die"),
    "files of 20 kB at most (RLIMIT_FSIZE)": partial(_limited, "ulimit -f 40"),
    "40 open files (RLIMIT_NOFILE)": partial(_limited, "ulimit -n 40"),
    "12 open files (RLIMIT_NOFILE)": partial(_limited, "ulimit -n 12"),
    "3 GB of addresses (RLIMIT_AS)": partial(_limited, "ulimit -v 3000000"),
    "a damaged file of the record": _hostile,
    "killed while it logs to MLflow": _store,
    "an image's server drips, or has no end": partial(_dripping, "image"),
    "MLflow's server drips, or has no end": partial(_dripping, "MLflow"),
}
