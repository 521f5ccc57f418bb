"""One trial of a point: executes, watches, checks and records it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from runner.analysis.shortages import named
from runner.disk import remove_spool
from runner.errors import ImageReplaced, StorageError, TrialError, TrialFailed
from runner.files import mask_file
from runner.host.clock import unix_time, wall_offset_s
from runner.host.gpu import Gpus
from runner.host.limits import Limits
from runner.host.load import HostState
from runner.monitor.gpu_record import gpu_record
from runner.monitor.sampler import Sampler
from runner.outside import in_one_line
from runner.pipeline.servers.serving import serving
from runner.pipeline.sinks import Destination
from runner.pipeline.sources import Image
from runner.record.failures import failed_images, in_words
from runner.record.trial import Observations, TrialPlace, image_errors, node_records, trial_record
from runner.record.trial_schema import ServiceRecord, SinkRecord, TrialRecord
from runner.record.writing import Series
from runner.secrets import masked
from runner.sweeps.point import Point
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event, Outcome, Supervisor

log = logging.getLogger("runner")


@dataclass(frozen=True)
class _Watched:
    """The outcome of a trial, what was observed from outside, and what its clock needs to become the time of day.

    Attributes:
        wall_offset_s: added to the shared clock, in seconds, it gives Unix time.
        started_at: Unix time.
    """

    outcome: Outcome
    observations: Observations
    wall_offset_s: float
    started_at: float


def measured_trial(
    point: Point, place: TrialPlace, supervisor: Supervisor, gpus: Gpus, on_event: Callable[[Event], None]
) -> TrialRecord:
    """Execute one trial of ``point`` and write it into the point's folder; returns its record."""
    try:
        with _logging_to(point.folder / "runner.log"):
            log.info("round %d: %s", place.round, in_one_line(point.name))
            watched = _watched(point, supervisor, gpus, on_event)
            outcome = watched.outcome
            trial = trial_record(
                place,
                outcome,
                watched.observations,
                images=point.images,
                wall_offset_s=watched.wall_offset_s,
                started_at=watched.started_at,
                ended_at=unix_time(),
            )
            samples = watched.observations.samples.taken
            point.add_trial(trial, Series(place.round, watched.wall_offset_s, samples), outcome.report, len(gpus.devices))
            _log_trial(trial, outcome.error)
    finally:
        mask_file(point.folder / "runner.log")  # what workers and libraries in C have printed there
        remove_spool(point.spool)
    return trial


def _watched(point: Point, supervisor: Supervisor, gpus: Gpus, on_event: Callable[[Event], None]) -> _Watched:
    offset_s, started_at = wall_offset_s(), unix_time()
    option = point.config.monitor
    sampler = Sampler(option, gpus)

    def on_any_event(event: Event) -> None:
        if isinstance(event, Phase):
            sampler.on_phase(event.name, event.pids)
        on_event(event)

    with contextlib.ExitStack() as servers:
        try:
            served = servers.enter_context(serving(point.config, point.images, point.folder, point.id))
            plan = point.trial_plan(served)
        except TrialError as error:
            return _Watched(Outcome(None, error, ()), Observations.nothing(point.cpus_usable), offset_s, started_at)
        before, limits, began = HostState.now(), Limits.now(), time.perf_counter()
        sampler.start()
        try:
            outcome = supervisor.execute(plan, point.config.protocol.timeout_s, on_any_event)
        finally:
            samples = sampler.stop()
        after, wall_s = HostState.now(), time.perf_counter() - began
        delivery, problem = _delivered(served.destination, outcome.report, point.config.epoch_images)
    failure = outcome.error or _replaced(outcome.report, point.images) or _too_many_failed(point, outcome.report) or problem
    if failure is not None:
        failure = named(failure, point.planned, limits, Limits.now())
    outcome = Outcome(outcome.report, failure, outcome.phases)
    own_cpu_s = max(_used_here_s(outcome), samples.tree_cpu_s or 0.0)
    own_cpu_s += ((delivery and delivery.get("receiver_cpu_s")) or 0.0) + served.cpu_s
    observations = Observations(
        samples=samples,
        monitor=samples.record(option),
        host=before.until(after, wall_s, own_cpu_s),
        gpu=gpu_record(gpus, samples.taken, sampled=option.enabled),
        cpus_usable=point.cpus_usable,
        delivery=delivery,
        services=cast("dict[str, ServiceRecord]", served.services),
    )
    return _Watched(outcome, observations, offset_s, started_at)


def _used_here_s(outcome: Outcome) -> float:
    """The CPU seconds of this host that the trial itself reported."""
    if outcome.report is None or not outcome.phases or outcome.phases[-1].usage.cpu_s is None:
        return 0.0
    remote_s = sum(node["cpu_s"] or 0.0 for node in node_records(outcome.report) if node["elsewhere"])
    return outcome.phases[-1].usage.cpu_s - remote_s


def _delivered(destination: Destination, report: Report | None, items: int) -> tuple[SinkRecord | None, TrialError | None]:
    """The record of the results' delivery, and the error of the trial if not all of them arrived."""
    if report is None:
        return None, None
    try:
        delivery = destination.check(report.sent, items)
    except Exception as error:  # a driver may raise any error of its library
        return None, TrialFailed(f"sink: what arrived cannot be checked: {error}", kind=type(error).__name__)
    if delivery is None:
        return None, None
    problem = None if delivery.problem is None else TrialFailed(f"sink: {delivery.problem}", kind="NotDelivered")
    return cast("SinkRecord", delivery.record()), problem


def _replaced(report: Report | None, images: Sequence[Image]) -> TrialError | None:
    """The error of a trial that read other images than were inspected: what it measured is not what its record says."""
    mark = f"failed: {ImageReplaced.__name__}".encode()
    items = [] if report is None else [item for item, digest in report.verification.digests.items() if digest == mark]
    if not items:
        return None
    first = images[min(items) % len(images)].where
    more = f", and {len(items) - 1} more" if len(items) > 1 else ""
    return TrialFailed(f"images were replaced while it was measured: {first}{more}", kind="ImagesReplaced")


def _too_many_failed(point: Point, report: Report | None) -> TrialError | None:
    """The error of a trial with an epoch of which too many images failed; None if there was no such epoch."""
    epochs = [] if report is None else [(len(epoch.records.failed()), len(epoch.records)) for epoch in report.epochs]
    failed, images = max(epochs, default=(0, 0))
    if report is None or not failed:
        return None
    why = in_words(failed_images([image_errors(report, point.images)]))
    if failed == images:
        return TrialFailed(f"no image could be processed: {why}", kind="NoImage")
    most = point.config.protocol.max_failed_pct
    if failed / images * 100 <= most:
        return None
    return TrialFailed(
        f"{failed} of {images} images failed, more than protocol.max_failed_pct={most:g}: {why}", kind="TooManyFailed"
    )


def _log_trial(trial: TrialRecord, error: TrialError | None) -> None:
    number = trial["round"]
    if error is None:
        log.info("round %d: ok, startup %.3f s, work %.3f s", number, trial["startup_s"], trial["work_s"])
    else:
        log.error("round %d: %s: %s", number, trial["status"], error)
        if error.remote_traceback:
            log.error("%s", error.remote_traceback.rstrip())
    for path, reason in trial["image_errors"].items():
        log.warning("round %d: %s failed: %s", number, in_one_line(path), in_one_line(reason))


class _Masking(logging.Formatter):
    """Formats the lines of a log without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _Log(logging.FileHandler):
    """A log that is short of what cannot be written, such as on a full disk: the record says what matters."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (of logging)
        """Go on."""


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Send what this program logs to ``path``, where the trial's processes write too.

    Raises:
        StorageError: it cannot be opened.
    """
    try:
        handler = _Log(path, encoding="utf-8")
    except OSError as error:
        raise StorageError(path, error) from error
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()
