"""``source=sample``: photographs that come with packages this program depends on anyway."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from runner.config.options import Sample
from runner.errors import ConfigurationError
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, inspected

# Package, and where in it the photograph lies.
PHOTOGRAPHS = (
    ("sklearn", "datasets/images/china.jpg"),  # 640 x 427
    ("sklearn", "datasets/images/flower.jpg"),  # 640 x 427
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),  # 512 x 600
)


class SampleSource(LocalSource):
    """The photographs in ``PHOTOGRAPHS``."""

    def __init__(self, config: Sample) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The photographs that are there, always in the same order."""
        paths = [path for package, inside in PHOTOGRAPHS if (path := _in_package(package, inside)) is not None]
        if not paths:
            raise ConfigurationError(
                "source",
                "sample",
                "finds none of its photographs, which come with scikit-learn and matplotlib",
                "an environment with these packages, or source=synthetic",
            )
        return inspected("source", paths, limit)


def _in_package(package: str, inside: str) -> Path | None:
    spec = find_spec(package)  # finds the package without importing it
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder, inside)
        if path.is_file():
            return path
    return None


PROVIDES = SampleSource
