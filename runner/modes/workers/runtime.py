"""The thread limits of TensorFlow, and of BLAS and OpenMP with it: applied before TensorFlow's runtime starts, then read back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from runner.host.affinity import allowed_cpus

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
    """How many threads TensorFlow is asked to have; 0 leaves it to TensorFlow."""

    intra_op: int
    inter_op: int


@dataclass(frozen=True)
class Threads:
    """How many threads the libraries of a process have, read back from them.

    Attributes:
        intra_op, inter_op: of TensorFlow, whose runtime runs; 0 is its own choice, None where the task does not use it and it was
            not started.
        blas: of the BLAS library; None where there is none that can be asked.
        opencv: of OpenCV; None where it is not loaded. Keras loads it with TensorFlow where it is installed.
    """

    intra_op: int | None
    inter_op: int | None
    blas: int | None
    opencv: int | None = None


def set_environment(limits: ThreadLimits, users: dict[str, str | None]) -> None:
    """Set the limits for libraries that are still to be loaded, here and in processes that inherit this environment.

    ``users`` holds the variables as the user had set them, None for unset. They are restored where TensorFlow may choose.
    """
    for name in VARIABLES:
        value = str(limits.intra_op) if limits.intra_op else users.get(name)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def start_runtime(limits: ThreadLimits, *, tensorflow: bool = True) -> Threads:
    """Apply ``limits`` to the libraries that are loaded, and read them back.

    With ``tensorflow``, they are applied to TensorFlow too, and its runtime is started.

    Raises:
        RuntimeError: TensorFlow's runtime had been started before.
    """
    intra_op = inter_op = None
    if tensorflow:
        _limit_tensorflow(limits)
    # A library that came with the fork server was loaded with one thread, whatever the environment says now.
    blas = _blas()
    if blas is not None:
        blas.limit(limits=limits.intra_op or _default_threads())
    if tensorflow:
        intra_op, inter_op = _start_tensorflow()
    counts = set() if blas is None else {library["num_threads"] for library in blas.info()}
    return Threads(intra_op, inter_op, max(counts) if counts else None, _limit_opencv(limits))


def _blas() -> Any:
    """What limits the threads of the BLAS libraries that are loaded; None where there is nothing that could."""
    try:
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController().select(user_api="blas")
    except ImportError:  # another interpreter may lack it, unless its task needs BLAS
        return None
    except OSError:  # it looks for loaded libraries in /proc, where there may be none
        return None


def _limit_tensorflow(limits: ThreadLimits) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(limits.intra_op)
    tf.config.threading.set_inter_op_parallelism_threads(limits.inter_op)
    for gpu in tf.config.list_physical_devices("GPU"):
        # Otherwise the first process takes the whole card and the others find nothing.
        tf.config.experimental.set_memory_growth(gpu, enable=True)


def _start_tensorflow() -> tuple[int, int]:
    import tensorflow as tf

    tf.config.list_logical_devices()  # starts the runtime
    threading = tf.config.threading
    return threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()


def _limit_opencv(limits: ThreadLimits) -> int | None:
    """Give OpenCV, where it is loaded, as many threads as one op of TensorFlow has. Returns what OpenCV then says."""
    cv2 = sys.modules.get("cv2")
    if cv2 is None:
        return None
    cv2.setNumThreads(limits.intra_op or -1)  # -1 leaves it to OpenCV, and 0 would be the caller's thread only
    return int(cv2.getNumThreads())


def _default_threads() -> int:
    """How many threads a BLAS library has by default: the user's variable, or one for each CPU that may be used."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return max(1, int(os.environ[name]))
    return len(allowed_cpus() or ()) or os.cpu_count() or 1
