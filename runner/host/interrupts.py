"""What interrupts the program: Ctrl-C, SIGTERM, a terminal that is closed (SIGHUP); and Ctrl-C held back for a while."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType


def interrupt_on_ends() -> None:
    """Handle SIGTERM and SIGHUP as Ctrl-C: what was measured is closed, and can be resumed. A SIGHUP that is ignored, as by ``nohup``, stays so."""
    signal.signal(signal.SIGTERM, _interrupt)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _hang_up)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _hang_up(_signal: int, _frame: FrameType | None) -> None:
    """Let what is still to be printed go nowhere where its terminal is gone: each line would be an error."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    raise KeyboardInterrupt


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Within it, Ctrl-C does not interrupt this thread; it does afterwards. A process started within it ignores Ctrl-C until it unblocks it."""
    if sys.platform == "win32":  # a signal cannot be blocked here
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
