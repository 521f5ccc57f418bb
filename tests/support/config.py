"""The configuration as a user meets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.forking_program import ForkingProgram


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkingProgram]:
    light = ("commands.dispatch", "commands.check_before_run", "sweeps.execute", "sweeps.composing")
    program = ForkingProgram(tmp_path_factory.mktemp("forking"), "hydra", "numpy", *(f"runner.{module}" for module in light))
    yield program
    program.close()
