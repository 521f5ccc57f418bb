"""``runner [run] [key=value ...]``: passes the command line to Hydra, and turns an error into one message and an exit status."""

from __future__ import annotations

import os

from runner.sweeps import exit_status
from runner.sweeps.hydra_run import refusal_of, refuse_words, remove_empty_sweep, run_words


def run(words: list[str]) -> int:
    """Run ``[flags] [key=value ...]``; returns the exit status: 0, 1 (bad configuration, failed point) or 130 (interrupted)."""
    refuse_words(words)
    from runner.display.console import print_error
    from runner.host.claim import give_back_folders

    wants_traceback = "HYDRA_FULL_ERROR" in os.environ
    try:
        run_words(words)
    except SystemExit as exit_:
        # Hydra refuses an unknown flag with 2.
        return exit_status.FAILED if exit_.code else exit_status.current()
    except Exception as error:
        refused = None if wants_traceback or isinstance(error, BrokenPipeError) else refusal_of(error)
        if refused is None:
            raise
        try:
            print_error("\n".join([str(refused), *getattr(refused, "__notes__", ())]))
        finally:
            give_back_folders()
            remove_empty_sweep()
        return exit_status.FAILED
    finally:
        give_back_folders()
    return exit_status.current()
