"""Preloads a fork server whose trials use TensorFlow: they are spared an import that takes seconds."""

from runner.trial.preload import preload

preload(["tensorflow", "runner.pipeline.tasks.tensorflow"])
