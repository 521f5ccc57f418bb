"""Holds Ctrl-C back while something must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator


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
