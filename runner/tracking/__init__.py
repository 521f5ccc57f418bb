"""Logs to MLflow, after all timing and from the record on disk."""
