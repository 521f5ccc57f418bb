"""``source=synthetic``: images made here, as rich in detail as photographs.

A photograph's amplitude spectrum falls with 1/f (Field, 1987), which is nearly the same contrast in every octave. A JPEG
decoder's cost follows from the coefficients that survive, so noise with that spectrum, some outlines and weaker colour take
as many bytes a pixel, and cost as much to decode, as photographs do. Flat colour would cost a fraction of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from runner.config.options import ImageFormat, ServedOption, Synthetic
from runner.config.plain import plain
from runner.files import check_folder, outputs
from runner.host.flock import file_lock
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, inspected

# Counts up when the recipe changes, so that images of an older recipe are not taken for new ones.
_RECIPE = 1


class SyntheticSource(LocalSource):
    """Images by their number: image 3 of a seed is the same image however many there are."""

    def __init__(self, config: Synthetic) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The first ``limit`` of ``count`` images, made now if they have not been made before."""
        folder = self._folder()
        count = min(limit, self._config.count)
        suffix = "jpg" if self._config.format is ImageFormat.jpeg else "png"
        paths = [folder / f"{index:06d}.{suffix}" for index in range(count)]
        if not all(path.exists() for path in paths):
            check_folder("outputs", folder)
            folder.mkdir(parents=True, exist_ok=True)
            with file_lock(folder / ".lock"):
                for index, path in enumerate(paths):
                    if not path.exists():
                        self._make(index, path)
        return inspected("source", paths, count)

    def _folder(self) -> Path:
        # The count is left out: a longer series begins with the shorter one. So is how the images are read.
        how = {"count", *(spec.name for spec in dataclasses.fields(ServedOption))} - {"name"}
        parameters = {key: value for key, value in plain(self._config).items() if key not in how}
        recipe = json.dumps([_RECIPE, parameters], sort_keys=True)
        return outputs() / "cache" / "synthetic" / hashlib.sha256(recipe.encode()).hexdigest()[:16]

    def _make(self, index: int, path: Path) -> None:
        import PIL.Image

        config = self._config
        picture = PIL.Image.fromarray(photo_like(config.width, config.height, (config.seed, index)))
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            half_written = Path(scratch, path.name)
            if config.format is ImageFormat.jpeg:
                picture.save(half_written, quality=config.quality, progressive=config.progressive)
            else:
                picture.save(half_written)
            half_written.replace(path)


def photo_like(width: int, height: int, seed: tuple[int, int]) -> Any:
    """An image with a photograph's spectrum: uint8 array of shape ``(height, width, 3)``, the same for the same seed."""
    import numpy as np
    import PIL.Image

    random = np.random.default_rng(seed)

    def noise(finest: int) -> Any:
        """Octaves of noise, nearly alike in contrast, down to grains of ``finest`` pixels; zero mean, unit range."""
        total = np.zeros((height, width), np.float32)
        grain = max(width, height)
        while grain >= finest:
            shape = (-(-height // grain) + 1, -(-width // grain) + 1)
            layer = random.standard_normal(shape, dtype=np.float32)
            if grain > 1:
                layer = np.asarray(PIL.Image.fromarray(layer).resize((width, height), PIL.Image.Resampling.BICUBIC))
            total += np.float32(grain**0.2) * layer[:height, :width]
            grain //= 2
        return total / max(float(np.abs(total).max()), 1e-6)

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    luminance = noise(1)
    for _ in range(12):  # a few objects with sharp outlines, in front of the texture
        x, y = random.uniform(0, width), random.uniform(0, height)
        a, b = random.uniform(0.03, 0.25, 2) * (width, height)
        inside = ((columns - x) / max(a, 1)) ** 2 + ((rows - y) / max(b, 1)) ** 2 < 1
        luminance[inside] += random.uniform(-0.35, 0.35)
    grain_noise = random.standard_normal((height, width), dtype=np.float32) * 0.018
    red, blue = noise(8) * 0.3, noise(8) * 0.3
    channels = np.stack([luminance + red, luminance - 0.5 * (red + blue), luminance + blue], axis=-1)
    channels += grain_noise[:, :, None]
    return np.clip(127.5 + 127.5 * channels, 0, 255).astype(np.uint8)


PROVIDES = SyntheticSource
