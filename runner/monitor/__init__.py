"""Watches a trial from outside, so that watching does not compete with the measured work."""
