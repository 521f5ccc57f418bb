"""A trial, which executes a point once in a fresh process, and the supervisor that starts and ends it."""
