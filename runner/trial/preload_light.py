"""Preloads a fork server whose trials do not use TensorFlow."""

from runner.trial.preload import preload

preload()
