"""The base of all options. An option is a typed choice in one of the groups; it knows its code, and what it cannot be combined with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any, ClassVar, Protocol

from runner.config.consent import Demand


class Threads(Protocol):
    """The choice of TensorFlow's threads."""

    intra_op: int
    inter_op: int


class Images(Protocol):
    """The choice of a source."""

    @property
    def reads_files(self) -> bool:
        """Whether its images are files that a worker reads."""


class Code(Protocol):
    """The choice of something that code of its own does."""

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its code uses TensorFlow."""


class PlacedPicture(Protocol):
    """An image as its header describes it, and where it is."""

    @property
    def path(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def refused(self) -> str | None: ...

    @property
    def offset(self) -> int | None: ...


class Choices(Protocol):
    """The choices of a point on which a check of another option may depend."""

    @property
    def tf(self) -> Threads:
        """TensorFlow's threads."""

    @property
    def source(self) -> Images:
        """Where images come from."""

    @property
    def task(self) -> Code:
        """What is done to each image."""

    @property
    def consumer(self) -> Code:
        """Who takes the results."""

    @property
    def python(self) -> str | None:
        """The interpreter of the trials, which has packages of its own; None for this one."""

    @property
    def code(self) -> str | None:
        """The commit from which functions of the user's come; None for what is here."""


class Option:
    """A choice in a group; a dataclass derived from it has a field for each value that can be changed."""

    def check(self, choices: Choices) -> None:
        """Refuse what the rules of single fields cannot see: what depends on several fields, on the system or on other choices.

        Raises:
            ConfigurationError: it cannot be run.
        """

    def demands(self) -> Iterator[Demand]:
        """What it would have done that a record may not have done unasked, by the names of its fields; by itself, to import code that one names."""
        for spec in fields(self):  # type: ignore[arg-type]
            if spec.metadata.get("names_code"):
                yield Demand("import", spec.name, getattr(self, spec.name))


class CodeOption(Option):
    """A choice that has code of its own: a mode, a source, a task or a sink.

    Attributes:
        package: the package with the code of this program's own options of the group; each is a module with the option's name.
        code: the module, if its name differs from the option's.
    """

    package: ClassVar[str]
    code: ClassVar[str | None] = None

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its code uses TensorFlow. A trial without any such option does not import TensorFlow."""
        return False

    @classmethod
    def module(cls) -> str:
        """The module with ``PROVIDES``, the option's code; for a user's own option, the module that defines its class."""
        own = cls.__module__.startswith("runner.config.options.")
        return cls.code or (f"{cls.package}.{vars(cls)['name']}" if own else cls.__module__)

    @classmethod
    def provided(cls) -> Any:
        """What that module provides, imported now."""
        return import_module(cls.module()).PROVIDES
