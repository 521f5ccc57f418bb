"""Keeps the module with which the user's program began out of trials."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

_lock = threading.Lock()


@contextlib.contextmanager
def without_main_module() -> Iterator[None]:
    """Have a process that is started meanwhile not run ``__main__`` again, as ``multiprocessing`` does where that is a file.

    A trial needs nothing from there. A script that calls this program, and imports and does what it likes, would do all of that once more
    in every trial, and start the same sweep again where it has no ``if __name__ == "__main__"``.
    """
    with _lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
