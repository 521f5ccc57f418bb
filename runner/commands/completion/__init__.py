"""``runner completion bash|zsh|fish``: prints what makes this shell complete words of the program, and says at its top where to put it.

It completes commands and their flags, groups, options, fields and values, your own options among them. A shell completes by the first word
of a line, so it works for runner and not for python -m runner; runner() { python -m runner "$@"; } makes the first of the second.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.commands.completion.suggestions import suggested

# Each is the script of that name beside this file.
SHELLS = ("bash", "zsh", "fish")

# Stands before each word that a script gives, so that none is taken for a flag.
_MARK = ":"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("shell", choices=SHELLS, help="that is to complete")
    parser.add_argument(
        "words", nargs="*", metavar=":WORD", help="of a line, the last unfinished: prints how it may go on; the script asks so"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script of the shell, or how the last of the words may go on: a line each, with what it means after a tab."""
    if not arguments.words:
        print((Path(__file__).parent / f"{arguments.shell}.sh").read_text(encoding="utf-8"), end="")  # noqa: T201  (light: rich is not loaded)
        return 0
    found = suggested([word.removeprefix(_MARK) for word in arguments.words])
    lines = [f"{one.word}\t{one.doc}" for one in found.words]
    # First, because it changes what a shell does with the others.
    print("\n".join(["/"] * found.files + lines))  # noqa: T201
    return 0
