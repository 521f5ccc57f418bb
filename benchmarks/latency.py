"""Images that take 50 ms to arrive: how near each backend comes to what latency and decoding leave possible.

python benchmarks/latency.py [--rounds 6] [--workers 32] [--images 64] [--latency 0.05]

The bound is latency × images ÷ workers, plus what the same backend takes for the same images from local files.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
from pathlib import Path
from typing import Any

from side_by_side import in_turn, plan, show, timed

from runner.config.options import Asyncio, NoSink, ProcessPool, Sample, TfData, ThreadPool
from runner.config.registry import load, module_of
from runner.pipeline.servers.serving import Served, serving_images
from runner.pipeline.sources import images_of
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    images, workers, latency_s = arguments.images, arguments.workers, arguments.latency
    settings = {"items": images, "epochs": 5, "warmup_epochs": 1}

    option = dataclasses.replace(Sample(), serve=True, serve_latency_s=latency_s)
    sink = NoSink()
    served = Served(images_of(Sample(), 3), sink, option, load("sink", "none").destination(sink, Path(), ""))

    def remote(mode: Any) -> TrialPlan:
        of = plan(mode, workers=workers, images=served.images, **settings)
        pipeline = dataclasses.replace(
            of.mode.pipeline, source_module=module_of("source", served.source.name), source=served.source
        )
        return dataclasses.replace(of, mode=dataclasses.replace(of.mode, pipeline=pipeline))

    with serving_images(served, option, 0):
        modes = (ThreadPool(), Asyncio(), TfData(), ProcessPool())
        plans = {f"{mode.name}, local": plan(mode, workers=workers, **settings) for mode in modes}
        plans |= {mode.name: remote(mode) for mode in modes}
        seen = in_turn(arguments.rounds, {name: functools.partial(timed, supervisor, of) for name, of in plans.items()})
    for mode in modes:
        bound = [latency_s * images / workers + local for local in seen[f"{mode.name}, local"]]
        title = f"{mode.name}: {images} images with {latency_s * 1e3:g} ms latency, {workers} workers"
        show(title, "s", {"bound": bound, mode.name: seen[mode.name]}, "bound")


if __name__ == "__main__":
    main()
