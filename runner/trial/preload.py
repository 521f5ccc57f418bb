"""What a fork server imports before it forks: TensorFlow, whose import takes seconds, with no op run.

Once an op has run, TensorFlow's runtime has threads, and a process forked after that hangs in its first op. BLAS is loaded
with one thread for the same reason; the trial raises that again where it is asked to.
"""

from __future__ import annotations

import gc
import os
import signal
from importlib import import_module
from time import perf_counter

from runner.config.registry import options
from runner.host.mapped_files import write_back_mapped_files
from runner.modes.workers.runtime import VARIABLES

# Ctrl-C goes to every process of the terminal; it is the conductor that decides what follows.
signal.signal(signal.SIGINT, signal.SIG_IGN)

# The user's own settings, to be put back where TensorFlow is left to choose.
USERS_ENVIRONMENT = {name: os.environ.get(name) for name in VARIABLES}

for _name in VARIABLES:
    os.environ[_name] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_began = perf_counter()
# TensorFlow greets on stderr from C++, past Python; the greeting would land in the user's terminal.
_stderr = os.dup(2)
_nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    import tensorflow as tf  # noqa: F401
    import threadpoolctl  # noqa: F401

    import runner.pipeline.tasks.tensorflow
    import runner.trial.main  # noqa: F401

    for _group in ("mode", "sink"):
        for _option in options()[_group].values():
            import_module(_option.module())
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    os.close(_nowhere)
    for _name, _value in USERS_ENVIRONMENT.items():
        if _value is None:
            os.environ.pop(_name, None)
        else:
            os.environ[_name] = _value

# Seconds that the import took, paid once by the fork server and not by the trials.
IMPORT_S = perf_counter() - _began

write_back_mapped_files()  # or the memory of the first trials after an installation would come out too small

# Objects that exist now live on in every trial: out of the collector's sight, their pages stay shared.
gc.collect()
gc.freeze()
