"""What py-spy has seen of a trial, in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from runner.analysis.stacks import KINDS, Profile, Shares
from runner.display.console import console, print_line, print_recorded

_MEANINGS = {
    "interpreter": "Python computes",
    "decoder": "native code of libraries for images and arrays computes: decoding, resizing, TensorFlow",
    "copy": "memory is copied, pickled, read or written",
    "waiting": "for work, a message, an answer, a time, or Python's interpreter lock (GIL)",
    "other": "native code of which no name says what it is",
}

# Fewer samples say little: one in twenty of 400 is known to ± 2 %.
_FEW = 400


def print_profile(profile: Profile, what: str, folder: Path) -> None:
    """Print the shares of each kind, what could not be told, and where the picture is.

    Args:
        profile: what was seen.
        what: was looked at, in words.
        folder: where the picture is.
    """
    out = console()
    table = Table(title=f"Where the time of {escape(what)} goes", title_justify="left")
    for title in ("", "threads that handle images" if profile.working else "threads of Python", "other threads", "what it is"):
        table.add_column(title, justify="right" if "threads" in title else "left")
    shown, others = profile.shown, profile.others
    for kind in KINDS:
        table.add_row(
            kind, _pct(shown, shown.pct(kind)), _pct(others, others.pct(kind)) if profile.working else "", _MEANINGS[kind]
        )
        if kind == "waiting" and profile.native:
            locks = (
                _pct(shown, shown.for_interpreter_pct),
                _pct(others, others.for_interpreter_pct) if profile.working else "",
            )
            table.add_row("  for the GIL", *locks, "of the samples, those that wait for other threads to let go of it")
    table.add_section()
    table.add_row("samples", *_samples(shown), *(_samples(others) if profile.working else [""]), "")
    out.print(table)
    print_line(f"{shown.text[0].upper()}{shown.text[1:]}.")
    for note in _notes(profile):
        out.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=True)
    print_line("The trial was sampled from outside, which slows it: these are shares, not times.")
    print_recorded(folder / "profile.svg")


def _notes(profile: Profile) -> list[str]:
    notes = []
    if not profile.working:
        notes.append(
            "no thread of Python handles images here; TensorFlow's own threads do, and py-spy sees threads of Python only"
        )
    if not profile.native:
        notes.append(
            "py-spy reads no native frames on this system: a line of Python that calls a library is counted as decoder, whatever it waits for or copies"
        )
    if profile.shown.samples < _FEW:
        notes.append(f"{profile.shown.samples} samples say little; more --seconds give more")
    if profile.misses > profile.looks / 10:
        notes.append(f"py-spy could not read {profile.misses} of {profile.looks + profile.misses} samples")
    return notes


def _pct(shares: Shares, pct: float) -> str:
    return f"{pct:.0f} %" if shares.samples else "-"


def _samples(shares: Shares) -> list[str]:
    return [f"{shares.samples} of {shares.threads} thread{'' if shares.threads == 1 else 's'}"]
