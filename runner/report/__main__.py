"""``python -m runner.report FOLDER...``."""

from runner.report.command import main

main()
