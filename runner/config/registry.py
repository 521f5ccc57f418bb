"""The register of all choices: the groups, their options, and the keys beside the groups.

This program's own options are the dataclasses in ``runner.config.options`` with their files under ``conf/``. A user's own options are
in the folders ``runner_plugins`` on Python's path (see docs/extending.md). A configuration selects code by the name of a registered
option only, so a configuration from somebody else can run nothing but what this user has installed.

The help, the table in docs/choices.md and the lists in error messages come from here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from runner.config.fields import MISSING, Role
from runner.config.options import Config, ModeOption
from runner.config.options.base import CodeOption, Option
from runner.errors import ConfigurationError
from runner.outside import bytes_of, printable

PLUGINS = "runner_plugins"

# What the command line accepts beside the keys of the configuration: presets, and Hydra's own settings.
EXPERIMENT = "experiment"
BESIDE = (EXPERIMENT, "hydra")

# A name that ``experiment=NAME`` can choose.
PRESET_NAME = r"\w[\w.-]*"

# More bytes than a preset has.
MOST_BYTES = 100_000

KEYS: Mapping[str, dataclasses.Field[Any]] = {spec.name: spec for spec in dataclasses.fields(Config)}
_BASES: Mapping[str, type[Option]] = {
    key: kind for key, kind in get_type_hints(Config).items() if isinstance(kind, type) and issubclass(kind, Option)
}
GROUPS = tuple(_BASES)


def keys_of(role: Callable[[Role], bool]) -> frozenset[str]:
    """The top-level keys of the configuration whose role fulfils the condition ``role``."""
    return frozenset(key for key, spec in KEYS.items() if role(spec.metadata["role"]))


@cache
def options() -> Mapping[str, Mapping[str, type[Any]]]:
    """Every option of every group, with its type.

    Raises:
        ConfigurationError: one of the user's own options cannot be used.
    """
    _import_plugins()
    return {group: _options_of(group, base) for group, base in _BASES.items()}


def module_of(group: str, name: str) -> str:
    """The module that provides option ``name`` of ``group``."""
    module: str = options()[group][name].module()
    return module


def load(group: str, name: str) -> Any:
    """What the module for option ``name`` of ``group`` provides."""
    return options()[group][name].provided()


def mode_of(config: Mapping[str, Any]) -> ModeOption:
    """The mode in the configuration of a record, to ask about its workers; ``ModeOption`` itself for a mode that is not installed here."""
    mode = config["mode"]
    kind: type[ModeOption] = options()["mode"].get(mode["name"], ModeOption)
    return kind(**{spec.name: mode[spec.name] for spec in dataclasses.fields(kind) if spec.name in mode})


def names_code() -> list[str]:
    """The keys, dotted for fields of options, whose values name code: functions, an interpreter, a commit."""
    return [key for key, spec in KEYS.items() if spec.metadata["names_code"]] + [
        f"{group}.{spec.name}"
        for group, kinds in options().items()
        for kind in kinds.values()
        for spec in dataclasses.fields(kind)
        if spec.metadata.get("names_code")
    ]


def conf_dir() -> Path:
    """The program's own folder of YAML files: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


@cache
def plugin_folders() -> tuple[Path, ...]:
    """The folders called ``runner_plugins`` on Python's path."""
    try:
        return tuple(Path(folder) for folder in getattr(import_module(PLUGINS), "__path__", ()))
    except ModuleNotFoundError:
        return ()


def own_presets() -> Path | None:
    """The folder ``conf`` in the current folder, where it has presets and is not this program's own; nothing else in it is looked at."""
    folder = Path("conf").absolute()
    return folder if (folder / EXPERIMENT).is_dir() and folder.resolve() != conf_dir() else None


def is_own_preset(path: Path) -> bool:
    """Whether a preset is one of those in the current folder, which may be a stranger's."""
    own = own_presets()
    return own is not None and path.parent == own / EXPERIMENT


def file_of(group: str, name: str) -> Path | None:
    """The YAML file of an option; None where there is none."""
    paths = (folder / group / f"{name}.yaml" for folder in _folders(group, name))
    return next((path for path in paths if path.is_file()), None)


def files_of(group: str) -> list[str]:
    """The names of the YAML files of a group, in their order."""
    folders = [folder / group for folder in _folders(group)]
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml") if path.is_file() and _is_name(path.stem)})


def text_of(path: Path) -> str:
    """The text of an option's file or a preset's; as much as can be shown of one that is a stranger's."""
    if not is_own_preset(path):
        return path.read_text(encoding="utf-8")
    try:
        return printable(bytes_of(path, MOST_BYTES).decode("utf-8", errors="replace"))
    except (OSError, ValueError):
        return ""


def _folders(group: str, name: str = "") -> tuple[Path, ...]:
    """The folders with files of a group, in the order in which they are looked at."""
    own = own_presets() if group == EXPERIMENT and (not name or _is_name(name)) else None
    return (conf_dir(), *plugin_folders(), *([] if own is None else [own]))


def _is_name(text: str) -> bool:
    return re.fullmatch(PRESET_NAME, text, re.ASCII) is not None


def doc_of(group: str, name: str) -> str:
    """A sentence on an option: the first one of the comment at the head of its YAML file."""
    path = file_of(group, name)
    lines = [] if path is None else text_of(path).splitlines()
    words: list[str] = []
    for line in lines:
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or (words and not text):
            break
        if text and not text.startswith(("@package", "yaml-language-server:", "python -m runner ")):
            words.append(text)
    return re.split(r"(?<=\.)\s|:\s", " ".join(words), maxsplit=1)[0].rstrip(".")


@cache
def default_of(group: str) -> str:
    """The option that is used if none is chosen."""
    text = (conf_dir() / "config.yaml").read_text(encoding="utf-8")
    default = re.search(rf"^  - {group}: (\w+)$", text, re.MULTILINE)
    return "" if default is None else default[1]


def _options_of(group: str, base: type[Option]) -> dict[str, type[Any]]:
    if not issubclass(base, CodeOption) and not base.__subclasses__():
        return dict.fromkeys(files_of(group), base)  # they differ in their values only
    kinds: dict[str, type[Any]] = {}
    for kind in _derived(base):
        name = getattr(kind, "name", MISSING)
        if name == MISSING:
            continue
        if name in kinds:
            where = f"{kinds[name].__module__} and {kind.__module__}"
            raise ConfigurationError(group, name, f"is the name of two options, in {where}", "a name for each")
        if kind.__module__.startswith(f"{PLUGINS}.") and file_of(group, name) is None:
            accepted = f"{PLUGINS}/{group}/{name}.yaml on Python's path, see docs/extending.md"
            raise ConfigurationError(group, name, "has no YAML file", accepted)
        kinds[name] = kind
    return kinds


def _derived(base: type[Any]) -> list[type[Any]]:
    return [subclass for kind in base.__subclasses__() for subclass in (kind, *_derived(kind))]


def _import_plugins() -> None:
    """Import the modules of the user's own options, so that their classes are there."""
    for group in GROUPS:
        names = {path.stem for folder in plugin_folders() for path in (folder / group).glob("*.py")}
        for name in sorted(names):
            module = f"{PLUGINS}.{group}.{name}"
            try:
                import_module(module)
            except Exception as error:
                reason = f"cannot be imported: {type(error).__name__}: {error}"
                raise ConfigurationError(
                    PLUGINS, module, reason, "a module that can be imported, or no module of that name"
                ) from error
