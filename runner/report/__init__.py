"""The report of a sweep or a point: ``report.html``, its charts, and the same tables in a terminal."""
