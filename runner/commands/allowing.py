"""``--allow``: what a record may have done that the user has not named."""

from __future__ import annotations

import argparse

from runner.config.consent import KINDS


def add_allow(parser: argparse.ArgumentParser, record: str = "the record") -> None:
    """Declare the option of a command that runs ``record``."""
    parser.add_argument(
        "--allow",
        action="append",
        choices=KINDS,
        default=[],
        help=f"what {record} may have done that it is not asked for: again for each",
    )
