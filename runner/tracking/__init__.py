"""MLflow: logged to when all timing is over and the record is on disk."""
