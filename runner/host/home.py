"""A home for a user who has none: libraries keep their settings there, and some end in an error without."""

from __future__ import annotations

import os
import sys


def make_sure_of_a_home() -> None:
    """Where neither ``HOME`` nor the system says where this user's home is, take an empty folder, which is removed at the end."""
    if sys.platform == "win32" or os.path.expanduser("~") != "~":  # noqa: PTH111  (pathlib's raises where there is none)
        return
    import atexit
    import shutil
    import tempfile

    os.environ["HOME"] = tempfile.mkdtemp(prefix="runner-home-")
    atexit.register(shutil.rmtree, os.environ["HOME"], ignore_errors=True)
