"""One more trial of a configuration, with py-spy looking into its processes while the epochs run. It is not timed, and no record has it."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from runner.analysis.stacks import Profile, stacks_of
from runner.config.compose import composed
from runner.config.consent import Consent, asking
from runner.config.recorded_words import key_of, names_own_code
from runner.disk import make_folder, write_atomically
from runner.display.console import print_error, print_line, print_note
from runner.display.progress import ProgressDisplay
from runner.errors import ConfigurationError, TrackingError
from runner.files import new_folder
from runner.host.lock import host_lock
from runner.host.py_spy import ATTACH_S, Recording
from runner.outside import in_one_line, refuse_links
from runner.pipeline.servers.serving import serving
from runner.record.manifest import amend_manifest
from runner.record.reading import PointRecord
from runner.report.flame_graph import flame_graph
from runner.safe_path import take_code_of_the_current_folder
from runner.secrets import masked
from runner.sweeps.images import images_a_second, settle_alone
from runner.sweeps.point import Point
from runner.sweeps.repeat import in_the_folder_of, recorded_words
from runner.tracking.credentials import credentials_to_environment
from runner.tracking.store import database_uri, may_contact
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor

# What is written into the folder: the picture, and the stacks as other programs read them.
PICTURE, STACKS = "profile.svg", "profile.txt"

# Long epochs, because workers wait between two; the warm-up, which is not looked at, is one more.
_EPOCHS = 4


@dataclass(frozen=True)
class Profiled:
    """What came of it.

    Attributes:
        folder: with the files.
        found: what the threads were seen doing.
        epochs: of the trial.
        images: in an epoch.
        point: the configuration.
    """

    folder: Path
    found: Profile
    epochs: int
    images: int
    point: Point

    @property
    def what(self) -> str:
        """What was looked at, in words."""
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return f"{self.point.name}: {epochs} of {self.images} image{'' if self.images == 1 else 's'}"


def profile(
    program: Path,
    record: PointRecord | None,
    words: Sequence[str],
    seconds: float,
    allowed: frozenset[str] = frozenset(),
) -> Profiled:
    """Run the trial and write what was seen.

    Args:
        program: py-spy.
        record: whose configuration is run; None for what the words alone compose.
        words: choices.
        seconds: how long the timed epochs should take.
        allowed: what the record may have done.

    Raises:
        ConfigurationError: it cannot be run, or the system does not let py-spy look.
        TrialError: the trial failed.
    """
    words = credentials_to_environment(words)
    if names_own_code(words) or "import" in allowed:
        take_code_of_the_current_folder()
    point = _composed(words) if record is None else _recorded(record, words, allowed)
    if point.config.mode.name == "ray":
        reason = "has workers that its cluster starts, perhaps on other hosts, where py-spy does not look"
        raise ConfigurationError("mode", "ray", reason, "a mode whose workers this program starts, such as process_pool")
    if record is not None and record.record["config_hash"] == point.hash:
        refuse_links(record.folder)
        folder = record.folder
    else:
        folder = new_folder("profiles")
    with ProgressDisplay(tensorflow=point.config.uses_tensorflow, alone=True) as display:
        profiled = _run(program, point, seconds, folder, display)
    _write(profiled)
    return profiled


def _composed(words: Sequence[str]) -> Point:
    return Point.prepared(composed(words), words, Path())


def _recorded(record: PointRecord, words: Sequence[str], allowed: frozenset[str]) -> Point:
    consent = Consent("profile", allowed, frozenset(map(key_of, words)), print_error)
    with in_the_folder_of(record), asking(consent):
        return _composed(recorded_words(record, words))


def _run(program: Path, point: Point, seconds: float, folder: Path, display: ProgressDisplay) -> Profiled:
    supervisor = Supervisor()
    with (
        host_lock(display.tell, point.config.host.wait_s),
        tempfile.TemporaryDirectory(prefix="runner-profile-") as apart,
    ):
        point.folder = Path(apart)
        supervisor.warm(tensorflow=point.config.uses_tensorflow)
        settle_alone(point, supervisor, display.tell)
        images = point.config.epoch_images
        rate = images_a_second(point, images, supervisor, display.tell)
        items = images * max(1, math.ceil(seconds / _EPOCHS * rate / images))
        epochs = max(1, min(_EPOCHS, round(seconds * rate / items)))
        display.trial_starts(point.name, 0, 1, epochs=epochs, images=items)
        watch = _Watch(program, epochs, display)
        with watch, serving(point.config, point.images, point.folder, point.id) as served:
            plan = replace(point.trial_plan(served), items=items, epochs=epochs, gil_probe=False)
            outcome = supervisor.execute(plan, point.config.protocol.timeout_s + ATTACH_S, watch.on_event)
        if outcome.error is not None:
            raise outcome.error
        return Profiled(folder, watch.found(), epochs, items, point)


class _Watch:
    """Has py-spy look from the first timed epoch to the last.

    Args:
        program: py-spy.
        epochs: how many there are.
        display: is told how it goes.
    """

    def __init__(self, program: Path, epochs: int, display: ProgressDisplay) -> None:
        self._program, self._left, self._display = program, epochs, display
        self._recording: Recording | None = None
        self._stacks: str | None = None
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._ending.close()

    def on_event(self, event: Event) -> None:
        """Begin at the first epoch, whose start waits until this returns, and end when the last is over."""
        self._display.event(event)
        if isinstance(event, Phase) and event.name == "epoch":
            if self._recording is None:
                self._recording = self._ending.enter_context(Recording(self._program, event.pids[0]))
            self._left -= 1
        elif isinstance(event, Phase) and self._recording is not None and not self._left and self._stacks is None:
            self._stacks = self._recording.stop()

    def found(self) -> Profile:
        """What was seen; asked when the trial has ended."""
        assert self._recording is not None  # noqa: S101  (a trial that ended well had an epoch)
        assert self._stacks is not None  # noqa: S101  (and a phase after it)
        recording = self._recording
        return Profile(list(stacks_of(self._stacks)), recording.native, recording.samples, recording.errors)


def _write(profiled: Profiled) -> None:
    make_folder(profiled.folder)
    found, title = profiled.found, f"{profiled.point.name}: {profiled.found.shown.text}"
    write_atomically(profiled.folder / PICTURE, partial(_print, masked(flame_graph(found, title))))
    write_atomically(profiled.folder / STACKS, partial(_print, masked("".join(f"{stack}\n" for stack in found.stacks))))
    amend_manifest(profiled.folder, PICTURE, STACKS)


def _print(text: str, file: IO[str]) -> None:
    file.write(text)


def log_to_the_run_of(record: PointRecord, folder: Path, uri: str | None) -> None:
    """Add the files to the run of this record, if MLflow has one; a message says so, or why that is not possible.

    A server that only the record names is not contacted.

    Args:
        record: of a point.
        folder: with the files.
        uri: of the store; None for the record's own, if that is the user's.
    """
    tracking = record.record["config"]["tracking"]
    named = tracking.get("uri")
    if uri is None and tracking.get("name") == "none":
        return
    if uri is None and not may_contact(named):
        shown = in_one_line(masked(str(named)))
        print_note(f"{shown} is named by the record, so nothing is sent there. To add the picture to its run: --uri {shown}")
        return
    from runner.tracking.additions import add_files

    where = uri or named or database_uri()
    try:
        runs = add_files(where, record.id, [folder / PICTURE, folder / STACKS])
    except TrackingError as error:
        print_error(f"It is not in MLflow; on disk it is: {error}")
        return
    print_line(
        f"In MLflow: among the artifacts of the record's run as {PICTURE}" if runs else "MLflow has no run of this record."
    )
