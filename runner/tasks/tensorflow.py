"""``task=tensorflow``: read, decode, resize, standardize, as the notebooks did it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from runner.config.options import DctMethod, Execution, Tensorflow
from runner.sources.image import Image

_DCT = {DctMethod.default: "", DctMethod.fast: "INTEGER_FAST", DctMethod.accurate: "INTEGER_ACCURATE"}


class TensorflowTask:
    """The result is a float32 tensor of shape ``(size, size, channels)`` with mean 0 and variance 1."""

    def __init__(self, config: Tensorflow, images: Sequence[Image]) -> None:
        self._config = config
        self._images = images
        formats = {image.format for image in images}
        self._run = {form: self._pipeline(form) for form in formats}
        # On a GPU an op returns before it has run; its time belongs to the image, so it is waited for.
        gpus = bool(tf.config.list_logical_devices("GPU"))
        self._wait: Callable[[], None] | None = tf.test.experimental.sync_devices if gpus else None

    def run(self, data: bytes, image: Image) -> Any:
        result = self._run[image.format](data)
        if self._wait is not None:
            self._wait()
        return result

    def graph(self, data: Any, index: Any) -> Any:
        """The task as part of a graph: the result for ``data``, a string tensor with the bytes of the image with number ``index``."""
        forms = sorted(self._run)
        if len(forms) == 1:
            return self._run[forms[0]](data)
        numbers = tf.constant([forms.index(image.format) for image in self._images])
        branches = [lambda form=form: self._run[form](data) for form in forms]
        return tf.switch_case(tf.cast(tf.gather(numbers, index), tf.int32), branches)

    def array(self, result: Any) -> Any:
        return result.numpy()

    def digest(self, result: Any) -> bytes:
        array = result.numpy()
        described = hashlib.blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=16)
        described.update(array.tobytes())
        return described.digest()

    def _pipeline(self, form: str) -> Callable[[Any], Any]:
        """Decode, resize, standardize for one file format; traced now, not at the first image, where it is a graph."""
        config = self._config

        def pipeline(data: Any) -> Any:
            if form == "jpeg":
                image = tf.io.decode_jpeg(
                    data, channels=config.channels, ratio=config.ratio, dct_method=_DCT[config.dct_method]
                )
            else:
                # The first frame of an animation: an image is one picture.
                image = tf.io.decode_image(data, channels=config.channels, expand_animations=False)
            image = tf.image.resize(image, [config.size, config.size], method="bilinear")
            return tf.image.per_image_standardization(image)

        if config.execution is Execution.eager:
            return pipeline
        traced: Callable[[Any], Any] = tf.function(pipeline).get_concrete_function(tf.TensorSpec([], tf.string))
        return traced


PROVIDES = TensorflowTask
