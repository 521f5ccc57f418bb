"""Inside the fresh process in which a point is executed once."""
