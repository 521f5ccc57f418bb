"""``task=tensorflow``: the steps in TensorFlow; decode, resize, standardize as the notebooks did it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from runner.config.options import STEPS_BY_CHANCE, DctMethod, Execution, Tensorflow
from runner.pipeline.arrays import array_digest
from runner.pipeline.sources.image import PALETTE_BMP, Image
from runner.pipeline.tasks.chances import Chances, chances

_DCT = {DctMethod.default: "", DctMethod.fast: "INTEGER_FAST", DctMethod.accurate: "INTEGER_ACCURATE"}

_LUMA = (0.299, 0.587, 0.114)


class TensorflowTask:
    """The result is a tensor of shape ``(height, width, channels)``: uint8 where pixels were only moved, float32 where they were
    computed. With the three steps of the default it is ``(size, size, channels)``, with mean 0 and variance 1.
    """

    def __init__(self, config: Tensorflow, images: Sequence[Image]) -> None:
        self._config = config
        self._images = images
        self._by_chance = not set(STEPS_BY_CHANCE).isdisjoint(config.steps)
        formats = {image.format for image in images}
        self._run = {form: self._pipeline(form) for form in formats}
        # On a GPU an op returns before it has run; its time belongs to the image, so it is waited for.
        gpus = bool(tf.config.list_logical_devices("GPU"))
        self._wait: Callable[[], None] | None = tf.test.experimental.sync_devices if gpus else None

    def run(self, data: bytes, image: Image) -> Any:
        if self._by_chance:
            drawn = tf.constant(chances(self._config.seed, image), tf.float64)
            result = self._run[image.format](data, drawn)
        else:
            result = self._run[image.format](data)
        if self._wait is not None:
            self._wait()
        return result

    def graph(self, data: Any, index: Any) -> Any:
        """The task as part of a graph: the result for ``data``, a string tensor with the bytes of the image with number ``index``."""
        inputs = [data]
        if self._by_chance:
            drawn = tf.constant([chances(self._config.seed, image) for image in self._images], tf.float64)
            inputs.append(tf.gather(drawn, index))
        return self._by_format(index, lambda form: self._run[form](*inputs))

    def decode_graph(self, data: Any, index: Any) -> Any:
        """The first step, decoding, as part of a graph."""
        return self._by_format(index, lambda form: self._decode(data, form))

    def rest_graph(self, pictures: Any) -> Any:
        """The other steps as part of a graph, for decoded images of one size in a tensor of four axes; none is left to chance."""
        for step in self._config.steps[1:]:
            pictures = getattr(self, f"_{step}")(pictures)
        return pictures

    def array(self, result: Any) -> Any:
        return np.asarray(result)  # a tensor's own memory; a row of a batch is an array already

    def digest(self, result: Any) -> bytes:
        return array_digest(np.asarray(result))

    def _by_format(self, index: Any, branch: Callable[[str], Any]) -> Any:
        """What ``branch`` gives for the format of the image with number ``index``."""
        forms = sorted(self._run)
        if len(forms) == 1:
            return branch(forms[0])
        numbers = tf.constant([forms.index(image.format) for image in self._images])
        return tf.switch_case(tf.gather(numbers, index), [lambda form=form: branch(form) for form in forms])

    def _pipeline(self, form: str) -> Callable[..., Any]:
        """All steps for one file format; traced now, not at the first image, where it is a graph."""
        config = self._config
        follow: list[Callable[..., Any]] = [getattr(self, f"_{step}") for step in config.steps[1:]]

        def pipeline(data: Any, *drawn: Any) -> Any:
            image = self._decode(data, form)
            for step in follow:
                image = step(image, *drawn)
            return image

        if config.execution is Execution.eager:
            return pipeline
        inputs = [tf.TensorSpec([], tf.string)]
        if self._by_chance:
            # Handed in as a tensor: a number of Python's would be traced anew for each image.
            inputs.append(tf.TensorSpec([len(Chances._fields)], tf.float64))
        traced: Callable[..., Any] = tf.function(pipeline, autograph=False).get_concrete_function(*inputs)
        return traced

    def _decode(self, data: Any, form: str) -> Any:
        config = self._config
        if form == "jpeg":
            return tf.io.decode_jpeg(data, channels=config.channels, ratio=config.ratio, dct_method=_DCT[config.dct_method])
        if form == PALETTE_BMP:
            refusal = tf.debugging.Assert(
                tf.constant(value=False), ["a BMP with a palette, which TensorFlow takes for grey levels"]
            )
            with tf.control_dependencies([] if refusal is None else [refusal]):
                data = tf.identity(data)
        # The first frame of an animation: an image is one picture.
        return tf.io.decode_image(data, channels=config.channels, expand_animations=False)

    def _resize(self, image: Any, *_: Any) -> Any:
        return tf.image.resize(image, [self._config.size, self._config.size], method="bilinear")

    @staticmethod
    def _standardize(image: Any, *_: Any) -> Any:
        return tf.image.per_image_standardization(tf.cast(image, tf.float32))

    # What follows is runner.pipeline.tasks.chances in tensors, in the same double precision, so that it comes to the same.

    @staticmethod
    def _flip(image: Any, drawn: Any) -> Any:
        return tf.cond(drawn[0] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)

    def _crop(self, image: Any, drawn: Any) -> Any:
        whole = tf.cast(tf.shape(image)[:2], tf.float64)  # height, width
        kept = tf.maximum(tf.floor(whole * self._config.crop + 0.5), 1.0)
        corner = tf.floor(tf.reverse(drawn[1:3], [0]) * (whole - kept + 1.0))
        begin, size = tf.cast(corner, tf.int32), tf.cast(kept, tf.int32)
        return tf.slice(image, tf.concat([begin, [0]], 0), tf.concat([size, [-1]], 0))

    def _colour(self, image: Any, drawn: Any) -> Any:
        brightness, contrast, saturation = tf.unstack(tf.cast(1 + self._config.colour * drawn[3:], tf.float32), num=3)

        def luma(levels: Any) -> Any:
            return tf.reduce_sum(levels * _LUMA, axis=-1, keepdims=True)

        def away(levels: Any, centre: Any, factor: Any) -> Any:
            return tf.clip_by_value(centre + (levels - centre) * factor, 0.0, 255.0)

        levels = away(tf.cast(image, tf.float32), 0.0, brightness)
        levels = away(levels, tf.reduce_mean(luma(levels)), contrast)
        return away(levels, luma(levels), saturation)


PROVIDES = TensorflowTask
