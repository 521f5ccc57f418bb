"""``task=inference``: decode, resize, and a Keras application model on one image at a time, as one graph.

Its weights are random, from ``task.seed``: nothing is downloaded. Only what the numbers cost matters here, not what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from runner.config.options import Inference
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import roughly_hashed

_CLASSES = 1000


class InferenceTask:
    """The result is a float32 array of shape ``(1000,)``: the logits.

    The model is built here, in the worker, after TensorFlow's runtime has started; the same seed gives the same weights in every worker.
    """

    def __init__(self, config: Inference, images: Sequence[Image]) -> None:
        self._config = config
        keras.utils.set_random_seed(config.seed)
        self._model = getattr(keras.applications, config.model)(
            weights=None, input_shape=(config.size, config.size, 3), classes=_CLASSES, classifier_activation=None
        )
        self._run = {form: self._graph(form) for form in {image.format for image in images}}

    def run(self, data: bytes, image: Image) -> Any:
        return self._run[image.format](data).numpy()

    def array(self, result: Any) -> Any:
        return result

    def digest(self, result: Any) -> bytes:
        # How a convolution splits up its sums, and so their last bits, depends on tf.intra_op.
        return roughly_hashed(result)

    def _graph(self, form: str) -> Callable[[Any], Any]:
        size = self._config.size

        def logits(data: Any) -> Any:
            if form == "jpeg":
                image = tf.io.decode_jpeg(data, channels=3)
            else:
                image = tf.io.decode_image(data, channels=3, expand_animations=False)
            image = tf.image.resize(image, [size, size]) / 127.5 - 1
            return self._model(image[tf.newaxis], training=False)[0]

        traced: Callable[[Any], Any] = tf.function(logits, autograph=False).get_concrete_function(tf.TensorSpec([], tf.string))
        return traced


PROVIDES = InferenceTask
