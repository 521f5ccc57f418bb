"""``runner doctor [FOLDER...]``: says what about this machine would spoil a measurement, what the program does about it, and what you can do.

It reads only, and looks at the load of one second. What cannot be read here is said to be unknown. The exit status is 0 whatever is
found; with --strict it is 1 where something is. Every record has the same findings, but for the load, which each trial has for its own time.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.analysis.preflight import preflight
from runner.display.console import print_line
from runner.errors import ConfigurationError
from runner.host.conditions import Conditions, MachineFinding
from runner.host.load import HostLoad, HostState
from runner.sweeps import exit_status

_LOOK_S = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="of images, to see what kind of disk has them, beside the current folder",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 where something was found")
    parser.add_argument("--json", action="store_true", help="print every check with its outcome as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; returns the exit status."""
    for folder in arguments.folders:
        if not folder.exists():
            raise ConfigurationError("FOLDER", folder, "does not exist", "a folder, or a file in it")
    folders = [Path.cwd(), Path(tempfile.gettempdir()), *arguments.folders]
    findings = preflight(Conditions.now(folders), _load())
    if arguments.json:
        print_line(json.dumps({"host": socket.gethostname(), "findings": findings}, indent=1))
    else:
        for line in _lines(findings):
            print_line(line)
    found = any(one["state"] == "found" for one in findings)
    return exit_status.FAILED if found and arguments.strict else exit_status.OK


def _load() -> HostLoad:
    """What went on while this program did nothing for a second."""
    before = HostState.now()
    time.sleep(_LOOK_S)
    return before.until(HostState.now(), _LOOK_S, 0.0)


def _lines(findings: Sequence[MachineFinding]) -> Iterator[str]:
    found, unknown, fine = ([one for one in findings if one["state"] == state] for state in ("found", "unknown", "fine"))
    for one in found:
        yield f"{one['kind']}: {one['message']}"
        yield f"  the program {one['handling']}"
        yield f"  you can: {one['advice']}"
    if not found:
        yield "Nothing was found that would spoil a measurement."
    for title, ones in (("Unknown", unknown), ("Fine", fine)):
        if ones:
            yield f"{title}:"
            yield from (f"  {one['kind']}: {one['message']}" for one in ones)
