"""``task=math``: matrix products in NumPy, which BLAS computes without the interpreter lock, and with threads of its own.

The bytes are read as ever; the matrix follows from the image's digest, so that different images give different results. BLAS gets
as many threads as one op of TensorFlow would, ``tf.intra_op``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.config.options import Math
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import ArrayTask, roughly_hashed


class MathTask(ArrayTask):
    """The result is a float64 vector of length ``size``: the sums of the rows of the matrix to the power of 1 + ``repeats``."""

    def __init__(self, config: Math, images: Sequence[Image]) -> None:  # noqa: ARG002  (any image will do)
        self._config = config
        self._dtype = np.dtype(config.dtype.value).type

    def run(self, data: bytes, image: Image) -> Any:  # noqa: ARG002  (the image's digest stands for its bytes)
        size = self._config.size
        matrix = np.random.default_rng(int(image.digest, 16)).random((size, size), self._dtype)
        # Mean 0 and variance 1/size: products of such matrices neither vanish nor overflow.
        matrix -= self._dtype(0.5)
        matrix *= self._dtype((12 / size) ** 0.5)
        product = matrix
        for _ in range(self._config.repeats):
            product = product @ matrix
        return product.sum(axis=1, dtype=np.float64)

    def digest(self, result: Any) -> bytes:
        # How BLAS splits up the sums, and so their last bits, depends on its threads.
        return roughly_hashed(result)


PROVIDES = MathTask
