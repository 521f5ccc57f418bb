"""``consumer=keras``: a Keras model that is trained on the batches, with random labels, on the GPU where TensorFlow sees one.

Its weights are random, from ``consumer.seed``: nothing is downloaded. Only what the numbers cost matters here, not what they say; and that
the same batches in the same order give the same loss and the same weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from runner.config.options import SMALL_MODEL, KerasTraining
from runner.errors import TrialFailed
from runner.pipeline.arrays import array_bytes

_CLASSES = 10


class KerasStep:
    """A training step. The model is built for the shape of the first batch, in the first step."""

    def __init__(self, config: KerasTraining) -> None:
        self._config = config
        self._labels = np.random.default_rng(config.seed)
        self._model: Any = None
        self._loss: float | None = None

    def step(self, batch: Any) -> None:
        if self._model is None:
            self._model = _built(self._config, batch.shape[1:])
        labels = self._labels.integers(0, _CLASSES, len(batch))
        self._loss = float(self._model.train_on_batch(np.asarray(batch, np.float32), labels))

    def outcome(self) -> Mapping[str, Any]:
        """The mean loss so far, and a hash of the weights."""
        if self._model is None:
            return {}
        whole = hashlib.blake2b(digest_size=16)
        for weights in self._model.get_weights():
            whole.update(array_bytes(weights))
        return {"loss": self._loss, "weights": whole.hexdigest()}


def _built(config: KerasTraining, shape: Sequence[int]) -> Any:
    if len(shape) != 3:
        reason = f"results of shape {tuple(shape)} are no images of height, width and channels"
        raise TrialFailed(f"consumer=keras: {reason}; accepted: a task whose results are", kind="ConsumerFailed")
    keras.utils.set_random_seed(config.seed)
    if config.model == SMALL_MODEL:
        model = _small(shape)
    else:
        model = getattr(keras.applications, config.model)(
            weights=None, input_shape=tuple(shape), classes=_CLASSES, classifier_activation=None
        )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss=loss, jit_compile=False)
    return model


def _small(shape: Sequence[int]) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(tuple(shape)),
            *(layers.Conv2D(filters, 3, strides=2, activation="relu") for filters in (8, 16, 32)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(_CLASSES),
        ]
    )


PROVIDES = KerasStep
