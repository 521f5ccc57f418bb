"""Executes points: alone, in the interleaved rounds of a sweep, or gathered from jobs that another launcher has run."""
