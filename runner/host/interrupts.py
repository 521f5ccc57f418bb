"""Holds Ctrl-C back while something must not be interrupted."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches this thread only afterwards, and a process started meanwhile only when it lets it."""
    if sys.platform == "win32":  # which cannot hold a signal back
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
