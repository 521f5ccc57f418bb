"""Where modules are looked for: not in the current folder, which may be a stranger's. What is needed for it is loaded before any module is."""

from __future__ import annotations

import os
import sys

# With this variable no process that is started from here, such as a fork server, looks there either.
_FOR_OTHERS = "PYTHONSAFEPATH"


def leave_out_the_current_folder() -> None:
    """Undo what ``python -m`` does: put the current folder before all others, so that a ``random.py`` in it is taken for Python's own.

    In a checkout of this program, which need not be installed, the folder is the program's own.
    """
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  (pathlib is not loaded yet)
    try:
        current = os.getcwd()  # noqa: PTH109
    except OSError as error:
        sys.exit(
            f"the current folder cannot be used: {error.strerror}\n  accepted: another folder; it may have been removed while this shell was in it"
        )
    if current == own:
        return
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if any(entry and os.path.abspath(entry) == current for entry in named):  # noqa: PTH100
        return  # the user wants what is here
    if not sys.flags.safe_path and sys.path and sys.path[0] in {"", current}:
        del sys.path[0]
    os.environ[_FOR_OTHERS] = "1"


def take_code_of_the_current_folder() -> None:
    """Let modules of the current folder be found, where no other has their name: the user has named code that may be there."""
    if (current := os.getcwd()) not in sys.path:  # noqa: PTH109
        sys.path.append(current)
