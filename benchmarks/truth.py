"""The whole way from trial to verdict, where the truth is known: points that are equal, and points slowed by 3, 5 and 10 %.

python benchmarks/truth.py [--sweeps 5] [--rounds 8] [--only photographs]
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections import Counter
from collections.abc import Mapping

from burning_task import Burn
from rich.console import Console
from rich.table import Table
from side_by_side import plan

from runner.analysis.verdicts import Comparison, Side, compare_points
from runner.config.options import Sequential, Thread
from runner.host.environment import usable_cpus
from runner.record.trial import Observations, TrialPlace, trial_record
from runner.record.trial_schema import TrialRecord
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor

# CPU seconds that an image of the baseline takes.
BASE_S = 0.004


def sweep(supervisor: Supervisor, plans: Mapping[str, TrialPlan], rounds: int, order: random.Random) -> dict[str, Comparison]:
    """One sweep in interleaved rounds; every point against the first, in images per second."""
    trials: dict[str, list[TrialRecord]] = {label: [] for label in plans}
    for number in range(rounds):
        labels = list(plans)
        order.shuffle(labels)
        for place, label in enumerate(labels):
            outcome = supervisor.execute(plans[label], 600, lambda _: None)
            trials[label].append(
                trial_record(
                    TrialPlace(number, place, "one"),
                    outcome,
                    Observations.nothing(usable_cpus()),
                    images=plans[label].mode.pipeline.images,
                    wall_offset_s=0.0,
                    started_at=0.0,
                    ended_at=0.0,
                )
            )
    baseline, *others = plans
    found = {}
    for label in others:
        # As in a sweep of two points: each comparison at its own level, so that false verdicts can be counted.
        comparisons = compare_points([Side(label, trials[label])], Side(baseline, trials[baseline]))
        (found[label],) = (comparison for comparison in comparisons if comparison.metric == "images_per_s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", default="", help="a part of the name of the points' family: burning, or photographs")
    arguments = parser.parse_args()
    supervisor, order = Supervisor(), random.Random(0)  # noqa: S311
    supervisor.warm()

    def burning(slowdown: float) -> TrialPlan:
        task = Burn(BASE_S * slowdown)
        return plan(Sequential(), workers=1, items=50, epochs=5, warmup_epochs=1, task=task, task_module="burning_task")

    real = plan(Thread(), workers=2, items=60, epochs=5, warmup_epochs=1)
    families = {
        "burning CPU": {"baseline": burning(1.0), "equal": burning(1.0)}
        | {f"{percent} % slower": burning(1 + percent / 100) for percent in (3, 5, 10)},
        "photographs, 2 threads": {"baseline": real, "equal a": real, "equal b": real, "equal c": real},
    }
    table = Table(title=f"{arguments.sweeps} sweeps of {arguments.rounds} rounds", title_justify="left")
    for column in ("what", "point", "true ratio", "ratios found, median [min, max]", "interval covers", "verdicts"):
        table.add_column(column)
    for family, plans in families.items():
        if arguments.only not in family:
            continue
        sweeps = [sweep(supervisor, plans, arguments.rounds, order) for _ in range(arguments.sweeps)]
        for label in list(plans)[1:]:
            truth = 1 / (1 + int(label.split()[0]) / 100) if "%" in label else 1.0
            found = [comparisons[label] for comparisons in sweeps]
            ratios = [comparison.ratio for comparison in found if comparison.ratio is not None]
            middle = statistics.median(ratio.ratio for ratio in ratios)
            lowest, highest = min(ratio.ratio for ratio in ratios), max(ratio.ratio for ratio in ratios)
            covers = sum(ratio.low <= truth <= ratio.high for ratio in ratios)
            verdicts = ", ".join(f"{count} {verdict}" for verdict, count in Counter(one.verdict for one in found).most_common())
            shown = f"{middle:.3f} \\[{lowest:.3f}, {highest:.3f}]"
            table.add_row(family, label, f"{truth:.3f}", shown, f"{covers} of {len(ratios)}", verdicts)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
