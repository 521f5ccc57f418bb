"""The report's charts, one file each. The function ``draw`` returns the chart, or None if there is nothing to draw."""
