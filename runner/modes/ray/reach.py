"""Whether workers on other hosts can reach what the pipeline reads and writes. They are asked; nothing is guessed."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.errors import TrialFailed
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sinks.folders import local_path


def check_source(plan: PipelinePlan, node: str, ask: Callable[..., Any]) -> None:
    """Refuse a source that is not the same on another host as here; ``ask`` calls a method of a worker there.

    Raises:
        TrialFailed: it says which image differs, and what can be done.
    """
    if any(is_loopback(image.path) for image in plan.images):
        raise _unreachable("source", node, "the images are at a loopback address, which is every host's own", "another source")
    if (reason := ask("different_image")) is not None:
        advice = "mode.ship_source=true, which sends the bytes to the nodes once; or a source that all of them can reach"
        raise _unreachable("source", node, reason, advice)


def check_sink(plan: PipelinePlan, node: str, ask: Callable[..., Any]) -> None:
    """Refuse a sink that is not the same on another host as here; ``ask`` calls a method of a worker there.

    Raises:
        TrialFailed: it says why, and what would be accepted.
    """
    url = getattr(plan.sink, "url", None)
    if url is None:
        return
    if is_loopback(url):
        raise _unreachable("sink", node, "results go to a loopback address, which is every host's own", "sink.url of a server")
    if (folder := local_path(url)) is not None:
        mark = Path(folder) / f".seen-{secrets.token_hex(4)}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        try:
            same = ask("file_exists", str(mark))
        finally:
            mark.unlink()
        if not same:
            raise _unreachable(
                "sink", node, f"{folder} is another folder there", "sink.url that all nodes share, such as s3://"
            )


def is_loopback(address: str) -> bool:
    """Whether it is at an address that means a different machine on each host."""
    host = urlsplit(address).hostname or "" if "://" in address else ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _unreachable(what: str, node: str, reason: str, accepted: str) -> TrialFailed:
    return TrialFailed(f"{what}: node {node} cannot reach it: {reason}\n  accepted: {accepted}", kind="Unreachable")
