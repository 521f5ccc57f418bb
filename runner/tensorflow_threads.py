"""TensorFlow's thread settings, with the BLAS and OpenMP limits that go with them: applied before the runtime starts, then read back."""

from __future__ import annotations

import os
from dataclasses import dataclass

# Read by OpenMP, OpenBLAS, MKL, BLIS and Accelerate when they are loaded.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class ThreadLimits:
    """What is asked for; 0 is the library's own choice."""

    intra_op: int
    inter_op: int


@dataclass(frozen=True)
class Threads:
    """What is the case.

    Attributes:
        intra_op, inter_op: as TensorFlow tells them once its runtime runs; 0 is its own choice.
        blas: threads of the BLAS library, None where there is none that can be asked.
    """

    intra_op: int
    inter_op: int
    blas: int | None


def set_environment(limits: ThreadLimits, users: dict[str, str | None]) -> None:
    """Set the limits for libraries that are still to be loaded, here and in processes that inherit this environment.

    ``users`` holds the variables as the user had set them, None for unset; they stand where TensorFlow may choose.
    """
    for name in VARIABLES:
        value = str(limits.intra_op) if limits.intra_op else users.get(name)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def start_runtime(limits: ThreadLimits) -> Threads:
    """Apply ``limits`` to TensorFlow and to libraries already loaded, start TensorFlow's runtime, read back what holds.

    Raises:
        RuntimeError: the runtime had been started before.
    """
    import tensorflow as tf
    from threadpoolctl import ThreadpoolController

    tf.config.threading.set_intra_op_parallelism_threads(limits.intra_op)
    tf.config.threading.set_inter_op_parallelism_threads(limits.inter_op)
    for gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise the first process takes the whole card and the others find nothing.
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    # A library that came with the fork server was loaded with one thread, whatever the environment says now.
    try:
        blas = ThreadpoolController().select(user_api="blas")
    except OSError:  # it looks for loaded libraries in /proc, where there may be none
        blas = None
    if blas is not None:
        blas.limit(limits=limits.intra_op or _default_threads())
    tf.config.list_logical_devices()  # starts the runtime
    counts = set() if blas is None else {library["num_threads"] for library in blas.info()}
    return Threads(
        intra_op=tf.config.threading.get_intra_op_parallelism_threads(),
        inter_op=tf.config.threading.get_inter_op_parallelism_threads(),
        blas=max(counts) if counts else None,
    )


def _default_threads() -> int:
    """What a BLAS library would take by itself: the user's variable, or a thread for each CPU that may be used."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return max(1, int(os.environ[name]))
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
