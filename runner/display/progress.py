"""What the user sees while trials run: on stderr, or in the cell of a notebook."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from runner.display.cell import CellLine
from runner.display.console import error_console
from runner.record.failures import failed_in, in_words
from runner.record.trial_schema import TrialRecord
from runner.trial.messages import Phase
from runner.trial.messages import Progress as TrialProgress
from runner.trial.supervisor import Event

_PHASES = {
    "import": "imports what it needs",
    "startup": "starts its workers",
    "warmup": "warms up",
    "verify": "checks results",
    "teardown": "stops its workers",
}


class LineDisplay:
    """Shows only what the user should know at once: waits and failures.

    Args:
        alone: whether a point is run by itself; why it failed is then said once, at its end.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self.console = error_console()
        self._alone = alone
        self._name = self._race = ""
        self._said: set[str] = set()  # the points of which it was shown that images failed

    def tell(self, message: str) -> None:
        """Show a message."""
        self.console.print(message, style="yellow", markup=False, soft_wrap=True)

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        """Remember the point's name. The start of a trial is not shown."""
        self._name = name

    def event(self, event: Event) -> None:
        """Show nothing."""

    def trial_ends(self, trial: TrialRecord) -> None:
        """Show why the trial failed, if it did; and, once for each point, which images failed."""
        if trial["error"] is None and trial["image_errors"] and self._name not in self._said:
            self._said.add(self._name)
            self.tell(f"{self._name}: {in_words(failed_in([trial]))}")
        if trial["error"] is not None and not self._alone:
            error = trial["error"]
            self.console.print(
                f"{self._name} {trial['status']}: {error['type']}: {error['message']}",
                style="red",
                markup=False,
                soft_wrap=True,
            )

    def race_stands(self, how: str) -> None:
        """Remember how the race stands. The end of a round is not shown."""
        self._race = how

    def stop(self) -> None:
        """Stop showing anything."""


class ProgressDisplay(LineDisplay):
    """Shows one bar over all trials, with what the current trial does.

    Args:
        tensorflow: whether TensorFlow is imported before the first trial, which takes seconds.
        alone: whether a point is run by itself.
    """

    def __init__(self, *, tensorflow: bool, alone: bool = False) -> None:
        super().__init__(alone=alone)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("trials"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,  # elsewhere the bar would leave empty lines
            # Twice a second, because the conductor should be idle while a trial is timed.
            refresh_per_second=2,
        )
        self._bar = self._progress.add_task("importing TensorFlow" if tensorflow else "starting", total=None)
        self._epoch = self._done = self._epochs = self._images = 0
        self._cell: CellLine | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        if self.console.is_jupyter:
            self._cell = CellLine()
            self._cell.show(self._progress.get_renderable())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        self._progress.stop()
        if self._cell is not None:
            self._cell.clear()
            self._cell = None

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        super().trial_starts(name, number, left, epochs=epochs, images=images)
        self._epoch, self._epochs, self._images = 0, epochs, images
        self._progress.update(self._bar, total=self._done + left)
        self._describe(f"{name}, round {number + 1}" + (f": {self._race}" if self._race else ""))

    def event(self, event: Event) -> None:
        match event:
            case Phase(name="epoch"):
                self._epoch += 1
                self._describe(f"{self._name}: epoch {self._epoch} of {self._epochs}")
            case Phase(name=name) if name in _PHASES:
                self._describe(f"{self._name} {_PHASES[name]}")
            case TrialProgress(done=done, epoch=epoch):
                which = "warm-up" if epoch is None else f"epoch {epoch + 1}"
                self._describe(f"{self._name}: {which}, {done} of {self._images} images")

    def trial_ends(self, trial: TrialRecord) -> None:
        super().trial_ends(trial)
        self._done += 1
        self._update(completed=self._done)

    def _describe(self, what: str) -> None:
        self._update(description=what)

    def _update(self, *, completed: int | None = None, description: str | None = None) -> None:
        self._progress.update(self._bar, completed=completed, description=description)
        if self._cell is not None:
            self._cell.show(self._progress.get_renderable())
