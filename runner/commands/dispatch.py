"""The program's entry point: runs the command that the first word names, and turns an error into one message and an exit status.

An override contains ``=``, or begins with ``+`` or ``~``. A flag begins with ``-``. Any other first word is a verb. Without a verb
the command is ``run``, the Hydra program.

This module is light, because every spawned process imports it again. What a verb needs is imported when the verb is called.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import ModuleType

from runner.display.streams import make_streams_writable, write_to_nothing
from runner.errors import RunnerError, type_and_first_line
from runner.host.home import make_sure_of_a_home
from runner.host.interrupts import interrupt_on_ends
from runner.safe_path import leave_out_the_current_folder
from runner.secrets.streams import mask_streams
from runner.sweeps import exit_status

# Each is a module here, with ``configure(parser)`` and ``run(arguments)``, which returns the exit status.
VERBS = {
    "compare": "compare points of one sweep or of several",
    "recommend": "say which point of a sweep to take",
    "decide": "say which point is best, from values that another program has measured",
    "diagnose": "say which part of a pipeline takes the time: fetching, preparing or handing over",
    "profile": "show where the time of a configuration goes, as a flame graph and in per cent",
    "gate": "say whether a change has made a pipeline worse, for a CI to act on",
    "doctor": "say what about this machine would spoil a measurement, and what can be done",
    "history": "say where a metric has changed its level, over the runs in MLflow",
    "plan": "turn a measured sweep into machines, hours and money",
    "rerun": "run a record again, and say whether the results agree",
    "report": "write report.html again from the record, or show it in the terminal",
    "trace": "write the timeline of one trial, for Perfetto",
    "export": "write every image's row as text",
    "verify": "hold a record against its manifest: what is missing, changed or added",
    "gather": "combine points that other jobs have measured into one sweep",
    "sync": "log records that MLflow does not have yet",
    "completion": "print what makes a shell complete words of this program",
    "ui": "show the recorded runs in MLflow's web pages",
}
RUN = "run"

# Where 1 is an answer, an error has another status.
_STATUS_OF_ERRORS = {"gate": exit_status.BROKEN}

# With this variable, which is Hydra's, errors come with their traceback.
_FULL_ERROR = "HYDRA_FULL_ERROR"

_NO_MEMORY = """there is not enough memory to go on; what was measured is on disk, and resume=FOLDER goes on with it
  accepted: more memory, or a larger limit (ulimit -v)"""


def main() -> None:
    """``runner [VERB] ...``; exits with 0, 1 (bad configuration, failed point) or 130 (interrupted); ``gate`` also with 2 and 3."""
    leave_out_the_current_folder()
    interrupt_on_ends()
    make_streams_writable()
    mask_streams()
    make_sure_of_a_home()
    with _no_message_about_a_closed_pipe():
        sys.exit(dispatch(sys.argv[1:]))


def dispatch(words: Sequence[str]) -> int:
    """Run what the words of a command line ask for; returns the exit status. Whatever goes wrong gives one message."""
    wants_traceback = _FULL_ERROR in os.environ
    try:
        return _run(words)
    except KeyboardInterrupt:
        return exit_status.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if wants_traceback and not isinstance(error, RunnerError | MemoryError):
            raise
        from runner.display.console import print_error

        print_error(_message_of(error))
        return _STATUS_OF_ERRORS.get(words[0] if words else RUN, exit_status.FAILED)


def _message_of(error: Exception) -> str:
    if isinstance(error, RunnerError):
        return str(error)
    if isinstance(error, MemoryError):
        return _NO_MEMORY
    return f"{type_and_first_line(error)}\n  this is a fault of the program itself; with {_FULL_ERROR}=1 in the environment it shows where"


def _run(words: Sequence[str]) -> int:
    verb = words[0] if words and _is_verb(words[0]) else None
    if verb in {None, RUN}:
        if any(word in words for word in ("-h", "--help")):
            from runner.commands.help import print_help

            print_help(words, VERBS)
            return exit_status.OK
        from runner.commands.run import run

        return run(list(words) if verb is None else list(words[1:]))
    if verb not in VERBS:
        return _refused(str(verb))
    module = import_module(f"runner.commands.{verb}")
    arguments = parser_of(verb, module).parse_intermixed_args(words[1:])
    return int(module.run(arguments))


def _is_verb(word: str) -> bool:
    return "=" not in word and word[:1] not in {"-", "+", "~"}


def parser_of(verb: str, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of a command's words; ``module`` is its own."""
    # The first line of the docstring begins with the command itself.
    title, _, more = (module.__doc__ or "").partition("\n")
    description = title.partition("``: ")[2] + more
    parser = argparse.ArgumentParser(
        prog=f"runner {verb}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    return parser


def _refused(word: str) -> int:
    from runner.display.console import print_error

    near = difflib.get_close_matches(word, [RUN, *VERBS], n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    print_error(f"{word}: there is no such command{hint}\n  accepted: {', '.join([RUN, *VERBS])}; or key=value, see --help")
    return exit_status.FAILED


@contextlib.contextmanager
def _no_message_about_a_closed_pipe() -> Iterator[None]:
    """End quietly when the reader of a pipe, such as ``head``, has read enough. What is still to be written, also at exit, is dropped."""
    try:
        yield
    except BrokenPipeError:
        sys.exit(exit_status.FAILED)
    finally:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                stream.flush()
            except OSError:  # it was said where it happened
                write_to_nothing(number)
