"""Which concurrency suits an image pipeline: threads or processes, how many, with how many TensorFlow threads in each.

Importing this package imports nothing heavy: TensorFlow lives only inside a trial, MLflow only after the timing.
"""

__version__ = "0.1.0"
