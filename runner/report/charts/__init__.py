"""The report's charts: one file each, all with the same verb, ``draw``, which gives the chart or None where there is nothing to draw."""
