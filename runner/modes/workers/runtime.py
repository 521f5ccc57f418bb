"""TensorFlow's thread settings, with the BLAS and OpenMP limits that go with them: applied before the runtime starts, then read back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

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
    """What is asked for; 0 is the library's own choice."""

    intra_op: int
    inter_op: int


@dataclass(frozen=True)
class Threads:
    """What is the case.

    Attributes:
        intra_op, inter_op: as TensorFlow tells them once its runtime runs; 0 is its own choice; None where the task does
            not use it, and it has not been started.
        blas: threads of the BLAS library, None where there is none that can be asked.
        opencv: threads that OpenCV may use, None where it is not loaded; Keras loads it with TensorFlow where it is installed.
    """

    intra_op: int | None
    inter_op: int | None
    blas: int | None
    opencv: int | None = None


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


def start_runtime(limits: ThreadLimits, *, tensorflow: bool = True) -> Threads:
    """Apply ``limits`` to libraries already loaded and, where the task uses it, to TensorFlow, whose runtime is started; read back.

    Raises:
        RuntimeError: the runtime had been started before.
    """
    from threadpoolctl import ThreadpoolController

    intra_op = inter_op = None
    if tensorflow:
        _limit_tensorflow(limits)
    # A library that came with the fork server was loaded with one thread, whatever the environment says now.
    try:
        blas = ThreadpoolController().select(user_api="blas")
    except OSError:  # it looks for loaded libraries in /proc, where there may be none
        blas = None
    if blas is not None:
        blas.limit(limits=limits.intra_op or _default_threads())
    if tensorflow:
        intra_op, inter_op = _start_tensorflow()
    counts = set() if blas is None else {library["num_threads"] for library in blas.info()}
    return Threads(intra_op, inter_op, max(counts) if counts else None, _limit_opencv(limits))


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
    """Give OpenCV, where it is loaded, as many threads as one op of TensorFlow gets; what it then says."""
    cv2 = sys.modules.get("cv2")
    if cv2 is None:
        return None
    cv2.setNumThreads(limits.intra_op or -1)  # to OpenCV -1 is its own choice, and 0 is none but the caller's
    return int(cv2.getNumThreads())


def _default_threads() -> int:
    """What a BLAS library would take by itself: the user's variable, or a thread for each CPU that may be used."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return max(1, int(os.environ[name]))
    return len(allowed_cpus() or ()) or os.cpu_count() or 1
