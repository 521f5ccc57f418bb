"""Preloads a fork server whose trials use TensorFlow, so that they need not import it, which takes seconds."""

from runner.trial.preload import preload

preload(["tensorflow", "runner.pipeline.tasks.tensorflow"])
