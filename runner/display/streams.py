"""Standard streams that are closed, or whose encoding lacks characters: made such that whatever is printed costs no result."""

from __future__ import annotations

import codecs
import os
import sys

# What stands for a character that an encoding lacks; any other becomes a question mark.
_INSTEAD = {
    "×": "x",
    "→": "->",
    "…": "...",
    "±": "+/-",
    "²": "^2",
    "·": ".",
    "–": "-",
    "≤": "<=",
    "≥": ">=",
    "µ": "u",
    "“": '"',
    "”": '"',
    "’": "'",
}
_ERRORS = "runner.instead"


def make_streams_writable() -> None:
    """Open the standard streams that are closed, on nothing, for this process and those that it starts; replace characters that a stream cannot have."""
    if os.environ.get("COLUMNS", "1").strip() in {"", "0"}:  # as some shells without a terminal have it
        del os.environ["COLUMNS"]
    codecs.register_error(_ERRORS, _replaced)
    for number in range(3):  # all of them before any other file is opened, which would get the number of one
        try:
            os.fstat(number)
        except OSError:
            handle = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)  # noqa: FBT003  (that is how it is called)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  (open until the end)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def write_to_nothing(number: int) -> None:
    """Drop what is still to be written to the standard stream with this number, and all that follows."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, number)
    os.close(handle)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_INSTEAD.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
