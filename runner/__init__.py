"""Which concurrency suits an image pipeline: threads or processes, how many, with how many TensorFlow threads in each.

Importing this package imports nothing heavy: TensorFlow lives only inside a trial, MLflow only after the timing. What programs call is in
``runner.api``, which is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner import errors
    from runner.api import Decision, Run, Sweep, decide, load, run, sweep, tune

__version__ = "0.1.0"

__all__ = ["Decision", "Run", "Sweep", "__version__", "decide", "errors", "load", "run", "sweep", "tune"]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("runner.errors")
    if name in __all__:
        return getattr(import_module("runner.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
