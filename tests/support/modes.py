"""Every mode, for the questions that all of them are asked."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from runner.config.registry import options


def modes() -> Sequence[Any]:
    """Every mode that is registered, with its defaults, as parameters of a test; skipped where its package is not installed."""
    return [pytest.param(kind(), id=name, marks=marks(kind)) for name, kind in options()["mode"].items()]


def marks(kind: Any) -> pytest.MarkDecorator:
    """What skips an option that needs a package which is not here."""
    needs = getattr(kind, "needs", None)
    if needs is None or find_spec(needs[0]) is not None:
        return pytest.mark.skipif(False, reason="it is here")
    return pytest.mark.skipif(True, reason=f"{needs[1]} is an extra")
