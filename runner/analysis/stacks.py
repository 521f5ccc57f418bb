"""What the threads of a trial were seen doing: stacks as py-spy writes them, sorted into kinds by the names of their frames.

A stack is read from its innermost frame outwards, and the first frame that says something decides:

* a call by which a thread waits, such as poll or a lock: ``waiting``. Of these, a wait for a condition is one for the interpreter's lock;
* memcpy, pickling, shared memory, reading or writing a file or a pipe: ``copy``;
* native code of a library for images or arrays: ``decoder``;
* a frame of Python, or native code of Python's own: ``interpreter``.

What says nothing, such as the C library where it allocates memory, counts for whoever called it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

Kind = Literal["interpreter", "decoder", "copy", "waiting", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A command line, which may have anything in it, stands before the thread; a name stands behind its number where there is one.
_LINE = re.compile(r"^(?P<who>.*?)thread \((?P<thread>[^)]*)\)(?:: (?P<name>[^;]*))?;(?P<frames>.*) (?P<count>\d+)$")
_PROCESS = re.compile(r'process (\d+):"')
_FRAME = re.compile(r"^(?P<name>.*) \((?P<where>.*?)(?::\d+)?\)$")

# Where images are handled by a thread of Python, whatever the mode.
_WORKS = re.compile(
    r"(^|\.)(handle|handle_async|_run_and_put) \(runner[/\\]pipeline[/\\]hot_path\.py|_call \(runner[/\\]modes[/\\]tf_data[/\\]calls\.py"
)

_WAITS = re.compile(
    r"_*(poll|ppoll|select|pselect|pselect6|epoll_wait|epoll_pwait|accept4?|recv|recvfrom|recvmsg|nanosleep|clock_nanosleep|wait4|waitpid|waitid"
    r"|sigwait\w*|sigtimedwait|syscall|futex\w*|sem_(timed|clock)?wait|pthread_(join|mutex_lock|cond_\w*wait)|PyThread_acquire_lock\w*"
    r"|NtWaitFor\w+|NtDelayExecution|NtRemoveIoCompletion\w*|WaitFor\w+|Sleep\w*)(@.*)?"
)
_WAITS_FOR_INTERPRETER = re.compile(
    r"_*pthread_cond_\w*wait(@.*)?|take_gil|PyEval_(RestoreThread|AcquireThread)|SleepConditionVariable\w+"
)
_READS = re.compile(r"_*(p?readv?(64)?|p?writev?(64)?|send(to|msg|file)?(64)?|NtReadFile|NtWriteFile)(@.*)?")
_COPIES = re.compile(r"_*(mem(cpy|move|set)|wmem(cpy|set))\w*(@.*)?")
_LIBC = re.compile(
    r"(libc|libpthread|ld-linux\w*|ld-musl\w*|libm|linux-vdso|ntdll|ucrtbase|msvcrt|vcruntime\w*)\b", re.IGNORECASE
)

# By the name of a native module, or the package of a file of Python.
_LIBRARIES = re.compile(
    r"(^|[/\\])_?(lib)?(tensorflow|jpeg|turbojpeg|png|webp|tiff|openjp2|avif|opencv|cv2|openblas|torch|c10|spdl|av(codec|format|util|filter)|sw(scale|resample)"
    r"|imaging|multiarray|umath|pywrap|jaxlib|blas|mkl)",
    re.IGNORECASE,
)
_PACKAGES = re.compile(r"(PIL|numpy|tensorflow|keras|cv2|torch|torchvision|spdl|scipy)[/\\]")
_COPYING_FILES = re.compile(
    r"(pickle\.py|_pickle\b.*|multiprocessing[/\\](reduction|shared_memory)\.py|_posixshmem\b.*|mmap(module)?\b.*)$"
)
_TALKING_FILES = re.compile(r"(multiprocessing[/\\]\w+|socket|ssl|selectors|subprocess|asyncio[/\\]\w+)\.py$")

# Of Python where native frames are not to be had: by what waits in C below it.
_WAITING_PYTHON = re.compile(
    r"(^|\.)(wait|_wait_for_tstate_lock|join|select|poll|_poll|_recv|_recv_bytes|accept|get) \("
    r"(threading|queue|selectors|socket|ssl|subprocess|multiprocessing[/\\]\w+|concurrent[/\\]futures[/\\]\w+)\.py"
)


@dataclass(frozen=True)
class Stack:
    """One stack of a thread.

    Attributes:
        thread: which: its process and its number.
        frames: from the outermost to the innermost, ``name (file:line)`` or ``name (module)``.
        count: how often it was seen.
    """

    thread: tuple[str, str]
    frames: tuple[str, ...]
    count: int

    def __str__(self) -> str:
        process, number = self.thread
        return f'process {process}:"";thread ({number});{";".join(self.frames)} {self.count}'


@dataclass(frozen=True)
class Shares:
    """What some threads were seen doing.

    Attributes:
        threads: how many threads.
        counts: samples of each kind.
        for_interpreter: of those that waited, how many waited for the interpreter's lock.
    """

    threads: int
    counts: Counter[Kind]
    for_interpreter: int

    @property
    def samples(self) -> int:
        return self.counts.total()

    def pct(self, kind: Kind) -> float:
        """Of all samples; 0 where there are none."""
        return 100 * self.counts[kind] / max(1, self.samples)

    @property
    def text(self) -> str:
        """All kinds of at least half a per cent in one line, the largest first."""
        kinds = sorted((kind for kind in KINDS if self.pct(kind) >= 0.5), key=lambda kind: -self.counts[kind])
        return ", ".join(f"{kind} {self.pct(kind):.0f} %" for kind in kinds) or "no samples"

    @property
    def for_interpreter_pct(self) -> float:
        """Of all samples."""
        return 100 * self.for_interpreter / max(1, self.samples)


@dataclass(frozen=True)
class Profile:
    """What was seen in a trial.

    Attributes:
        stacks: all of them.
        native: whether the frames of C and C++ are among them.
        looks: how often py-spy looked.
        misses: how often it could not.
    """

    stacks: Sequence[Stack]
    native: bool
    looks: int = 0
    misses: int = 0

    @cached_property
    def working(self) -> frozenset[tuple[str, str]]:
        """The threads in which images are handled."""
        return frozenset(stack.thread for stack in self.stacks if any(map(_WORKS.search, stack.frames)))

    @property
    def workers(self) -> Shares:
        """Of the threads that handle images."""
        return self._shares(stack for stack in self.stacks if stack.thread in self.working)

    @property
    def others(self) -> Shares:
        """Of all other threads, such as the one that collects results."""
        return self._shares(stack for stack in self.stacks if stack.thread not in self.working)

    @property
    def shown(self) -> Shares:
        """Of the threads that handle images; of all where none of Python's does."""
        return self.workers if self.working else self.others

    def _shares(self, stacks: Iterable[Stack]) -> Shares:
        counts: Counter[Kind] = Counter()
        threads, for_interpreter = set(), 0
        for stack in stacks:
            kind, lock = kind_of(stack.frames, native=self.native)
            counts[kind] += stack.count
            for_interpreter += stack.count * lock
            threads.add(stack.thread)
        return Shares(len(threads), counts, for_interpreter)


def stacks_of(text: str) -> Iterator[Stack]:
    """The stacks of a file of collapsed stacks, in which each thread has its number; lines that are none are left out."""
    for line in text.splitlines():
        if (found := _LINE.match(line)) is not None:
            processes = _PROCESS.findall(found["who"])
            thread = (processes[-1] if processes else "", found["thread"])
            yield Stack(thread, tuple(found["frames"].split(";")), int(found["count"]))


def kind_of(frames: Sequence[str], *, native: bool) -> tuple[Kind, bool]:
    """What a stack shows, and whether it is a wait for the interpreter's lock.

    Args:
        frames: from the outermost to the innermost.
        native: whether native frames can be among them. Where they cannot, the innermost frame of Python stands for what it calls.
    """
    parts = [_parts(frame) for frame in reversed(frames)]
    innermost = next((place for place, (_, where) in enumerate(parts) if _is_python(where)), len(parts))
    name, where = parts[innermost] if innermost < len(parts) else ("", "")
    inner = parts[:innermost]
    if not native:
        return _of_python_alone(f"{name} ({where}", where), False
    if any(_WAITS_FOR_INTERPRETER.fullmatch(one) for one, _ in inner):
        return "waiting", True
    if any(_WAITS.fullmatch(one) for one, _ in inner):
        return "waiting", False
    if _is_nameless_copy(inner):
        return "copy", False
    told = (_of_native(one, module, where) for one, module in inner)
    return next((kind for kind in told if kind is not None), None) or _of_caller(inner, where), False


def _of_native(name: str, module: str, where: str) -> Kind | None:
    """What a native frame says, below a frame of Python in the file ``where``; None if nothing."""
    if _READS.fullmatch(name):
        return "waiting" if "read" in name.lower() and _TALKING_FILES.search(where) else "copy"
    if _COPIES.fullmatch(name) or _COPYING_FILES.search(module):
        return "copy"
    return "decoder" if _LIBRARIES.search(module) or _PACKAGES.match(module) else None


def _of_caller(inner: Sequence[tuple[str, str]], where: str) -> Kind:
    """The kind of a stack none of whose native frames says anything, by the file of Python that they were called from."""
    if _COPYING_FILES.search(where):
        return "copy"
    if inner and _PACKAGES.match(where):
        return "decoder"
    return "interpreter" if where else "other"


def _of_python_alone(frame: str, where: str) -> Kind:
    if _WAITING_PYTHON.search(frame):
        return "waiting"
    return _of_caller([("", "")], where)


def _is_nameless_copy(inner: Sequence[tuple[str, str]]) -> bool:
    """Whether the innermost frame is of the C library, without a name, and not called by that library: so memcpy and its kin look, whose names are not exported."""
    of_libc = [_LIBC.match(module) is not None for _, module in inner[:2]]
    return of_libc[:1] == [True] and inner[0][0].startswith("0x") and of_libc[1:] != [True]


def _is_python(where: str) -> bool:
    return where.endswith((".py", ".pyx")) or where.startswith("<")


def _parts(frame: str) -> tuple[str, str]:
    """The name of a frame, and its file or module."""
    found = _FRAME.match(frame)
    return (frame, "") if found is None else (found["name"], found["where"])
