"""``runner --help``: the commands and every choice, from the register, without loading Hydra.

The table in docs/choices.md comes from the same register (``make table`` writes it).
"""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from runner.config.fields import MISSING, accepted
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, default_of, doc_of, files_of, options

_EXAMPLES = {
    "runner mode=process workers=10": "one point",
    "runner mode=process workers=5,10,15 -m": "a sweep: every combination, in interleaved rounds",
    "runner experiment=threads_vs_processes": "a preset",
    "runner compare FOLDER": "one of the commands",
}
HYDRA_FLAGS = {
    "-m, --multirun": "run every combination of comma-separated values",
    "--cfg job": "show the configuration that a command would run, and run nothing",
    "--info defaults": "show which files the configuration comes from",
    "--hydra-help": "Hydra's own flags",
}
PRESETS = "a whole experiment by name"

_BEGIN = "<!-- options: made by `make table` -->"
_END = "<!-- end of options -->"


def print_help(words: Sequence[str], verbs: Mapping[str, str]) -> None:
    """Print what can be typed; with ``group=option`` among ``words``, the fields of that option instead.

    Raises:
        ConfigurationError: one of the user's own options cannot be taken.
    """
    chosen = [(group, name) for group, equals, name in (word.partition("=") for word in words) if equals and group in GROUPS]
    known = [(group, name) for group, name in chosen if name in options()[group]]
    lines = [line for group, name in known for line in _option(group, name)] if known else _overview(verbs)
    print("\n".join(lines))  # noqa: T201  (light: rich is not loaded)


def _overview(verbs: Mapping[str, str]) -> Iterator[str]:
    yield "runner: threads or processes, how many, and how many TensorFlow threads in each?"
    yield ""
    yield from _table(_EXAMPLES)
    yield from _titled("Commands; runner COMMAND --help says more", verbs)
    yield ""
    yield "Choices: group=option; runner group=option --help shows the fields of an option"
    for group in GROUPS:
        yield ""
        yield f"  {group}: {KEYS[group].metadata['doc']}; {default_of(group)} by default"
        yield from _table({name: doc_of(group, name) for name in options()[group]}, indent=4)
    yield ""
    yield f"  {EXPERIMENT}: {PRESETS}"
    yield from _table({name: doc_of(EXPERIMENT, name) for name in files_of(EXPERIMENT)}, indent=4)
    values = {f"{key}={_shown(spec)}": doc for key, spec, doc in keys_beside_groups()}
    yield from _titled("Values, with what they are by default", values)
    yield from _titled("Flags", HYDRA_FLAGS)


def keys_beside_groups() -> Iterator[tuple[str, dataclasses.Field[Any], str]]:
    """The keys beside the groups, those of a key that has fields of its own among them, and what each means."""
    for key, spec in KEYS.items():
        doc = spec.metadata["doc"]
        if isinstance(spec.default_factory, type) and dataclasses.is_dataclass(spec.default_factory):
            for inside in dataclasses.fields(spec.default_factory):
                yield f"{key}.{inside.name}", inside, f"{doc}: {inside.metadata['doc']}"
        elif key not in GROUPS:
            yield key, spec, doc


def _option(group: str, name: str) -> Iterator[str]:
    yield f"{group}={name}: {doc_of(group, name)}"
    kind = options()[group][name]
    hints = get_type_hints(kind)
    fields = {
        f"{group}.{spec.name}={_shown(spec)}": f"{spec.metadata['doc']}: {accepted(spec, hints[spec.name])}"
        for spec in dataclasses.fields(kind)
        if spec.name != "name"
    }
    yield from _table(fields or {"no fields": ""})


def _titled(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield title
    yield from _table(rows)


def _table(rows: Mapping[str, str], indent: int = 2) -> Iterator[str]:
    """Two columns, the second wrapped to the terminal."""
    left = min(max(map(len, rows)), 44) + indent + 2
    width = max(shutil.get_terminal_size().columns, left + 30)
    for name, doc in rows.items():
        first = f"{' ' * indent}{name}".ljust(left)
        if len(first) > left:
            yield first
            first = " " * left
        yield from textwrap.wrap(doc, width, initial_indent=first, subsequent_indent=" " * left) or [first.rstrip()]


def _shown(spec: dataclasses.Field[Any]) -> str:
    """The default of a field, as the user would type it; dots where there is none."""
    value = spec.default_factory() if spec.default_factory is not dataclasses.MISSING else spec.default
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    if isinstance(value, Enum):
        return str(value.value)
    if value == MISSING:
        return "..."
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def options_table() -> str:
    """The table of groups and options in docs/choices.md, in Markdown, and a line with the other keys."""
    rows = ["| group | what it chooses | options |", "|---|---|---|"]
    for group in GROUPS:
        kinds = options()[group]
        names = ", ".join(f"`{name}`" for name in kinds)
        if len(set(kinds.values())) == 1:  # they differ in nothing but the values of these
            names += "; " + ", ".join(f"`{group}.{spec.name}`" for spec in dataclasses.fields(next(iter(kinds.values()))))
        rows.append(f"| `{group}` | {KEYS[group].metadata['doc']} | {names} |")
    presets = ", ".join(f"`{name}`" for name in files_of(EXPERIMENT))
    rows.append(f"| `{EXPERIMENT}` | {PRESETS} | {presets} |")
    keys = ", ".join(f"`{key}`" for key, _, _ in keys_beside_groups())
    return "\n".join([_BEGIN, *rows, "", f"and {keys}.", _END])


def with_table(page: str) -> str:
    """The text of a page with the table of today's options."""
    before, _, rest = page.partition(_BEGIN)
    return before + options_table() + rest.partition(_END)[2]


def write_table(page: str = "docs/choices.md") -> None:
    """Put the table into the page."""
    path = Path(page)
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
