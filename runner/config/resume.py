"""``resume=FOLDER``: goes on with the sweep in that folder, by the command line that started it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.errors import ConfigurationError

_KEY = "resume"
_ACCEPTED = "the folder of a sweep, such as outputs/sweeps/2026-01-31/12-00-00-000000, and no other choice beside it"


def resumed(words: Sequence[str]) -> list[str]:
    """The words that go on with the sweep in FOLDER, if ``words`` contain ``resume=FOLDER``; otherwise ``words``.

    Raises:
        ConfigurationError: there is no sweep in the folder, or ``words`` contain other choices.
    """
    given = [word.partition("=")[2] for word in words if word.startswith(f"{_KEY}=")]
    if not given or given[-1] in {"", "null"}:
        return list(words)
    folder = Path(given[-1].strip("'\"")).expanduser().absolute()
    others = [word for word in words if not word.startswith((f"{_KEY}=", "-"))]
    if others:
        raise ConfigurationError(
            _KEY, given[-1], f"goes on with a sweep as it was and cannot be combined with {' '.join(others)}", _ACCEPTED
        )
    try:
        overrides = OmegaConf.load(folder / "multirun.yaml").hydra.overrides
        task, hydra = ([str(word) for word in overrides[part]] for part in ("task", "hydra"))
    except (OSError, OmegaConfBaseException) as error:
        raise ConfigurationError(_KEY, given[-1], "is not the folder of a sweep", _ACCEPTED) from error
    kept = [word for word in hydra if not word.startswith(("hydra.sweep.dir=", "hydra.mode="))]
    quoted = "'" + str(folder).replace("\\", "\\\\").replace("'", r"\'") + "'"
    started = [word for word in task if not word.startswith(f"{_KEY}=")]
    return ["-m", *started, *kept, f"hydra.sweep.dir={quoted}", f"{_KEY}={quoted}"]
