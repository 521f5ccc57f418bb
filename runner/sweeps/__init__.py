"""Executes points: alone, in the interleaved rounds of a sweep, or in the jobs of another launcher."""
