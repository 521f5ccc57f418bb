"""An example of every option that is done by code of its own, for the questions that all of them are asked.

An option whose defaults suffice, and make light work, needs no entry here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from runner.config.fields import MISSING
from runner.config.options import FileFormat
from runner.config.registry import options
from runner.pipeline.wire import as_field, masked_crc32c
from support.photos import photo
from support.troublesome_image_server import troublesome_image_server

# Makes what an option needs in a folder; what has to be ended goes on the stack. Returns the option's fields.
Maker = Callable[[Path, ExitStack], Mapping[str, Any]]


def _file(folder: Path, _: ExitStack) -> Mapping[str, Any]:
    return {"path": str(photo(folder / "a.jpg"))}


def _folder(folder: Path, _: ExitStack) -> Mapping[str, Any]:
    _photos(folder / "photos" / "a.jpg", folder / "photos" / "below" / "b.png", folder / "photos" / "c.gif")
    return {"path": str(folder / "photos")}


def _light(_: Path, __: ExitStack) -> Mapping[str, Any]:
    return {"width": 40, "height": 30}


def _addresses(folder: Path, stack: ExitStack) -> Mapping[str, Any]:
    server = stack.enter_context(troublesome_image_server())
    server.files = {f"/{path.name}": path.read_bytes() for path in _photos(folder / "a.jpg", folder / "b.png")}
    return {"url": [*map(server.url, server.files), _photos(folder / "a.jpg", folder / "c.bmp")[1].as_uri()]}


def _records(folder: Path, _: ExitStack) -> Mapping[str, Any]:
    path = folder / "photos.tfrecord"
    path.write_bytes(b"".join(tfrecord(example(image.read_bytes())) for image in _photos(folder / "a.jpg", folder / "b.png")))
    return {"path": str(path)}


def _tensors(_: Path, __: ExitStack) -> Mapping[str, Any]:
    return {"function": "support.my_functions:tensor"}


def _quickly_built(_: Path, __: ExitStack) -> Mapping[str, Any]:
    return {"model": "MobileNet", "size": 75}


def _in_format(form: FileFormat) -> Maker:
    return lambda _, __: {"format": form}


_NEEDS: Mapping[tuple[str, str], Mapping[str, Maker]] = {
    ("source", "file"): {"": _file},
    ("source", "folder"): {"": _folder},
    ("source", "synthetic"): {"": _light},
    ("source", "url"): {"": _addresses},
    ("source", "tfrecord"): {"": _records},
    ("task", "function"): {"": _tensors},
    ("task", "inference"): {"": _quickly_built},
    ("sink", "file"): {form.value: _in_format(form) for form in FileFormat},
}


@dataclasses.dataclass(frozen=True)
class Example:
    """An option, and how to make one that can be used."""

    group: str
    name: str
    kind: type[Any]
    make: Maker | None

    def option(self, folder: Path, stack: ExitStack) -> Any:
        """The option with what it needs, made in ``folder``."""
        needed = {} if self.make is None else self.make(folder, stack)
        option = self.kind(**needed)
        for spec in dataclasses.fields(option):
            if getattr(option, spec.name) == MISSING:
                pytest.fail(
                    f"{self.group}={self.name} needs {self.group}.{spec.name}: give it in _NEEDS of tests/support/examples.py"
                )
        return option


def examples(group: str) -> Sequence[Any]:
    """Every option of a group, as parameters of a test."""
    return [pytest.param(example, id=label) for label, example in _labelled(group)]


def _labelled(group: str) -> Iterator[tuple[str, Example]]:
    for name, kind in options()[group].items():
        makers: Mapping[str, Maker | None] = _NEEDS.get((group, name), {"": None})
        for variant, make in makers.items():
            yield "-".join(filter(None, (name, variant))), Example(group, name, kind, make)


def example(image: bytes, feature: bytes = b"image/encoded") -> bytes:
    """A serialized ``tf.train.Example`` with one image."""
    value = as_field(2, *as_field(1, *as_field(1, image)))
    return b"".join(as_field(1, *as_field(1, *as_field(1, feature), *value)))


def tfrecord(data: bytes) -> bytes:
    """A record of a TFRecord file."""
    length = len(data).to_bytes(8, "little")
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    return masked_crc32c(data).to_bytes(4, "little")


def _photos(*paths: Path) -> Sequence[Path]:
    """Photographs at these paths, each of another size."""
    return [photo(path, (40 + number, 30)) for number, path in enumerate(paths)]
