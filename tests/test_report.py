"""The report: what it says, how it chooses what to draw, and that the page is fit to be looked at."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.made_records import comparison, epoch, good_trial, result
from support.program import Program

from runner.analysis.amortised import break_even, cost_of, quickest
from runner.analysis.bounds import bounds_of
from runner.errors import ErrorRecord, RunnerError
from runner.record.metrics import point_metrics
from runner.record.reading import PointRecord
from runner.record.sweep_schema import ComparisonRecord
from runner.record.trial_schema import GilRecord, GoodTrial
from runner.report.answer import answer
from runner.report.charts import resources, speed_up, throughput
from runner.report.layout import chosen_layout, factors
from runner.report.page import REPORT, rendered, sections_of, write_report
from runner.report.plain import sparklines
from runner.report.subject import Subject, read_subject
from runner.tracking.content import sweep_content

# --------------------------------------------------------------------------------------------------- records


def trial(place: int, rate: float, **changes: Any) -> GoodTrial:
    of_epoch = {key: changes.pop(key) for key in ("cpu_s", "read_s", "task_s", "sink_s", "collect_cpu_s") if key in changes}
    only = epoch(
        work_s=100 / rate, images_per_s=rate, images_ok=100, latency_p50_s=0.01, latency_p95_s=0.02, latency_p99_s=0.03, **of_epoch
    )  # fmt: skip
    times = {"work_s": 100 / rate, "started_at": 1e9 + place, "ended_at": 1e9 + place + 0.5}
    return good_trial(**{"round": place, "epochs": [only], **times, **changes})


def point(label: str, rate: float, varying: Sequence[str] = ("mode", "workers"), **changes: Any) -> PointRecord:
    config = {"mode": {"name": label.partition("-w")[0]}, "workers": int(label.partition("-w")[2].split()[0])} | changes.pop(
        "config", {}
    )
    trials = [trial(place, rate * (1 + 0.001 * place), **changes) for place in range(8)]
    return PointRecord(Path("nowhere"), result(config=config, trials=trials, metrics=point_metrics(trials)), label, varying)


def compared(label: str, verdict: str, ratio: float, metric: str = "images_per_s") -> ComparisonRecord:
    return comparison(
        point=label, baseline="thread-w1", metric=metric, ratio=ratio, low=ratio * 0.95, high=ratio * 1.05, verdict=verdict,
        rounds_needed=20 if verdict == "inconclusive" else None,
    )  # fmt: skip


def subject(points: Sequence[PointRecord], comparisons: Sequence[Mapping[str, Any]] = (), **changes: Any) -> Subject:
    given: dict[str, Any] = {
        "folder": Path("nowhere"), "title": "mode × workers", "points": points, "expected": len(points), "baseline": points[0].label,
        "comparisons": comparisons, "answer": None, "self_check": None, "duplicate": None, "trusted": True, "warnings": [], "command": "python -m runner -m",
        "cut_short": False,
    }  # fmt: skip
    return Subject(**(given | changes))


# ---------------------------------------------------------------------------------------------------- answer


def test_the_answer_names_the_fastest_with_its_interval_and_what_it_costs() -> None:
    found = [
        compared("process-w10", "faster", 1.32), compared("process-w10", "slower", 3.1, "peak_memory_mb"),
        compared("process-w10", "inconclusive", 1.1, "cpu_s_per_image"),
    ]  # fmt: skip
    said = answer(subject([point("thread-w1", 100), point("process-w10", 132)], found))
    assert said == ["process × 10 is 1.32 times [1.25, 1.39] as fast as thread × 1, and costs 3.1 times the memory."]


def test_the_answer_of_the_sweep_comes_first_and_then_what_it_costs_against_the_baseline() -> None:
    found = {
        "text": "process × 2 leads: nothing is more than 3.0 % faster.", "best": "process-w2", "bound_pct": 2.9, "criterion": "throughput",
        "proven": True, "recommended": "process-w2", "recommended_bound_pct": 2.9,
    }  # fmt: skip
    points = [point("thread-w1", 100), point("process-w2", 200)]
    said = answer(subject(points, [compared("process-w2", "faster", 2.0)], answer=found))
    assert said[0] == found["text"]
    assert said[1].startswith("process × 2 is 2.00 times")


@pytest.mark.parametrize(
    ("verdict", "ratio", "says"),
    [
        (
            "inconclusive",
            1.05,
            "The data do not say which is fastest: process × 2, first by its median, came to 1.05 x [1.00, 1.10]",
        ),
        ("same", 1.005, "process × 2, first by its median, is within 2 % of thread × 1"),
    ],
)
def test_where_the_data_do_not_say_the_answer_says_so(verdict: str, ratio: float, says: str) -> None:
    said = answer(subject([point("thread-w1", 100), point("process-w2", 105)], [compared("process-w2", verdict, ratio)]))
    assert said[0].startswith(says)


def test_a_verdict_across_hosts_says_so() -> None:
    found = compared("process-w2", "faster", 2.0) | {"hosts": ["far", "near"]}
    said = answer(subject([point("thread-w1", 100), point("process-w2", 200)], [found]))
    assert said[0].endswith("as fast as thread × 1 (far against near: machine and setting together).")


def test_a_baseline_that_is_the_fastest_is_the_answer() -> None:
    points = [point("thread-w1", 100), point("process-w2", 50), point("process-w4", 60)]
    said = answer(subject(points, [compared("process-w2", "slower", 0.5), compared("process-w4", "slower", 0.6)]))
    assert said == ["thread × 1 is the fastest: all 2 others are slower than it."]
    said = answer(subject(points, [compared("process-w2", "slower", 0.5), compared("process-w4", "inconclusive", 0.9)]))
    assert said[0].startswith("thread × 1 is first by its median: of 2 others 1 are slower")


def test_rounds_are_believed_over_medians() -> None:
    said = answer(subject([point("thread-w1", 100), point("process-w2", 101)], [compared("process-w2", "slower", 0.97)]))
    assert said[0].startswith("thread × 1 is the faster: process-w2 came to 0.97 x")


def test_results_that_differ_and_a_baseline_unequal_to_itself_come_before_any_verdict() -> None:
    points, found = [point("thread-w1", 100), point("process-w2", 200)], [compared("process-w2", "faster", 2.0)]
    warning = {"kind": "results_differ", "message": "m", "advice": "a"}
    assert "their times are not comparable" in answer(subject(points, found, warnings=[warning]))[0]
    assert "came out different from itself" in answer(subject(points, found, trusted=False))[0]


def test_without_verdicts_there_is_no_claim() -> None:
    assert answer(subject([point("thread-w1", 100), point("process-w2", 200)]))[0].startswith(
        "The data do not say which is faster"
    )


# ---------------------------------------------------------------------------------------------------- layout


def test_workers_go_on_the_axis_and_modes_get_colours() -> None:
    layout = chosen_layout([point(f"{mode}-w{workers}", 1) for mode in ("thread", "process") for workers in (1, 2)])
    assert layout.x is not None
    assert layout.series is not None
    assert (layout.x.name, layout.series.name, layout.panels) == ("workers", "mode", ())


def test_what_varies_in_step_is_one_factor() -> None:
    varying = ["mode", "workers", "tf.intra_op", "tf.inter_op"]
    points = [
        point(f"thread-w{workers}", 1, varying, config={"tf": {"intra_op": threads, "inter_op": threads}})
        for workers in (1, 2)
        for threads in (0, 1)
    ]
    assert [factor.keys for factor in factors(points)] == [("workers",), ("tf.intra_op", "tf.inter_op")]
    places = [chosen_layout(points).place(one) for one in points]
    assert {(place.x, place.series) for place in places} == {(1, "tf=0/0"), (1, "tf=1/1"), (2, "tf=0/0"), (2, "tf=1/1")}


def test_five_factors_get_panels_and_no_more_than_can_be_looked_at() -> None:
    varying = ["mode", "workers", "images", "task", "seed2"]
    points = [
        point(f"{mode}-w{workers} {size}{task}{extra}", 100 + size, varying, config={"images": size, "task": {"name": task}, "seed2": extra})
        for mode in ("thread", "process") for workers in (1, 2, 4) for size in (10, 20, 30) for task in ("a", "b") for extra in ("x", "y")
    ]  # fmt: skip
    shown = subject(points)
    assert len(shown.layout.panels) == 3
    chart = throughput.draw(shown)
    assert chart is not None
    assert chart.wide
    assert "6 combinations with the fastest points are drawn; 6 more are in the table" in chart.caption
    assert "images=30" in chart.svg
    assert "images=10" not in chart.svg


def test_where_nothing_is_a_number_points_are_ranked() -> None:
    shown = subject([point("thread-w2", 100, ["mode"]), point("process-w2", 200, ["mode"])])
    assert throughput.draw(shown) is None
    names = [chart.name for section in sections_of(shown) for chart in section.charts]
    assert "ranking" in names
    assert "speed-up" not in names


def test_speed_up_and_efficiency_follow_from_throughput() -> None:
    line = [(1.0, point("thread-w1", 100)), (2.0, point("thread-w2", 180)), (4.0, point("thread-w4", 200))]
    assert [round(value, 3) for _, value in speed_up.speed_up(line)] == [1.0, 1.8, 2.0]
    assert [round(value, 1) for _, value in speed_up.efficiency_pct(line)] == [100.0, 90.0, 50.0]


# ---------------------------------------------------------------------------------------------------- bounds


def test_bounds_follow_from_the_record_and_the_lowest_binds() -> None:
    alone = point("process-w1", 90)  # 10 ms of worker time an image
    gil: GilRecord = {"wakeups": 100, "held_pct": 50.0, "probe_cpu_s": 0.0}
    one = point("process-w4", 190, cpu_s=1.0, collect_cpu_s=0.2, gil=gil)  # of 100 images
    bounds = bounds_of(one, alone)
    assert bounds is not None
    found = {bound.what: bound.images_per_s for bound in bounds.bounds}
    assert found["CPUs"] == pytest.approx(2 / 0.01)
    assert found["workers"] == pytest.approx(4 / 0.01)
    assert found["return path"] == pytest.approx(100 / 0.2)
    assert found["interpreter lock"] == pytest.approx(bounds.images_per_s / 0.5)
    assert bounds.bounds[0].what == "CPUs"
    assert bounds.verdict == "CPUs, 95 %"


def test_a_bound_that_is_far_away_does_not_bind() -> None:
    bounds = bounds_of(point("process-w4", 50), None)
    assert bounds is not None
    assert bounds.verdict == "none; nearest: CPUs, 25 %"


# --------------------------------------------------------------------------------------------- amortisation


def test_what_starts_slower_and_works_faster_is_the_quicker_from_the_break_even_on() -> None:
    slow_start, fast_start = cost_of(point("process-w2", 200, startup_s=2.0)), cost_of(point("thread-w2", 100, startup_s=0.5))
    assert slow_start is not None
    assert fast_start is not None
    found = break_even(slow_start, fast_start)
    assert found is not None
    assert (found.sooner.label, found.later.label) == ("thread-w2", "process-w2")
    assert slow_start.total_s(found.images) <= fast_start.total_s(found.images)
    assert slow_start.total_s(found.images - 2) > fast_start.total_s(found.images - 2)
    assert quickest([slow_start, fast_start], 1) is fast_start
    assert break_even(slow_start, cost_of(point("b-w1", 300, startup_s=0.1)) or slow_start) is None


# ---------------------------------------------------------------------------------------------------- a page


def test_what_is_written_in_a_record_cannot_become_part_of_the_page() -> None:
    evil = '</title><script>alert("x")</script>'
    one = point("thread-w1", 100)
    one.record["warnings"].append({"kind": "k", "message": evil, "advice": evil})
    error: ErrorRecord = {"type": evil, "message": evil, "traceback": None}
    other = PointRecord(one.folder, {**one.record, "error": error, "status": "failed"}, evil, one.varying)
    shown = subject([one, other], command=evil, title=evil)
    page = rendered(shown, sections_of(shown))
    assert "<script" not in page
    assert "&lt;script" in page


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, str]:
    program = Program(tmp_path_factory.mktemp("swept"))
    words = [
        "mode=thread,process",
        "workers=1,2",
        "images=12",
        "task=pillow",
        "tf=single",
        "tracking=none",
        "protocol.verdicts=true",
    ]
    answer = program(*words, "protocol=quick", "protocol.rounds=8", "-m")
    assert answer.returncode == 0, answer.stderr
    return program, answer.stdout


@pytest.fixture(scope="module")
def folder(swept: tuple[Program, str]) -> Path:
    (found,) = (path.parent for path in swept[0].folder.glob("outputs/sweeps/*/*/sweep.json"))
    return found


def test_a_sweep_ends_with_a_report_and_names_its_path(swept: tuple[Program, str], folder: Path) -> None:
    assert f"To look at: {(folder / REPORT).relative_to(swept[0].folder)}" in swept[1]
    page = (folder / REPORT).read_text(encoding="utf-8")
    for heading in (
        "What to take",
        "Throughput",
        "Speed-up",
        "Where the time goes",
        "Latency of an image",
        "CPU and memory",
        "Noise",
    ):
        assert heading in page
    pictures = {path.stem for path in folder.glob("*.svg")}
    assert {
        "throughput",
        "speed-up",
        "efficiency",
        "stages",
        "amortisation",
        "latency",
        "resources",
        "timeline",
        "noise",
    } <= pictures
    for path in folder.glob("*.svg"):
        assert path.read_text(encoding="utf-8").startswith("<?xml")
        assert "var(--" not in path.read_text(encoding="utf-8")


def test_the_report_and_its_pictures_are_artifacts_of_the_parent_run(folder: Path) -> None:
    from runner.record.reading import read_sweep

    names = {file.path.name for file in sweep_content(read_sweep(folder)).files}
    assert {REPORT, "throughput.svg", "noise.svg"} <= names


def test_the_page_needs_nothing_from_outside(folder: Path) -> None:
    page = (folder / REPORT).read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!#|data:,)[^"]+"', page)
    assert "@import" not in page
    assert "<script" not in page
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))


def test_a_report_is_made_again_from_the_record_alone(swept: tuple[Program, str], folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    for path in [*copy.glob("*.svg"), copy / REPORT]:
        path.unlink()
    (copy / "law.svg").write_text("of another day")
    answer = swept[0]("report", str(copy))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"Written: {copy / REPORT}\n"
    assert not (copy / "law.svg").exists()
    before, after = ((at / "throughput.svg").read_text(encoding="utf-8") for at in (folder, copy))
    assert before == after


def test_the_terminal_shows_the_answer_tables_and_sparklines(swept: tuple[Program, str], folder: Path) -> None:
    answer = swept[0]("report", "--terminal", str(folder))
    assert answer.returncode == 0, answer.stderr
    lines = sparklines(read_subject(folder))
    assert len(lines) == 3
    for line in lines:
        assert line in answer.stdout
    assert "Which bound binds" in answer.stdout
    assert "thread-w1" in answer.stdout


def test_a_sweep_that_was_cut_short_has_a_report_of_what_there_is(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cut"
    shutil.copytree(folder, copy)
    record = json.loads((copy / "sweep.json").read_text())
    record |= {"comparisons": [], "self_check": None}  # as it is written before the first trial
    for one in record["points"]:
        one |= {"status": "killed", "error": None, "metrics": {}}
    (copy / "sweep.json").write_text(json.dumps(record))
    (copy / record["points"][3]["folder"] / "result.json").unlink()
    shown = read_subject(copy)
    assert shown.cut_short
    assert {found["point"] for found in shown.comparisons} == {"thread-w2", "process-w1"}
    assert any("cut short: 3 of 4 points have trials" in sentence for sentence in answer(shown))
    assert "cut short" in write_report(copy).read_text(encoding="utf-8")


def test_points_that_failed_are_named_with_their_reason(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "failed"
    shutil.copytree(folder, copy)
    path = copy / "3" / "result.json"
    record = json.loads(path.read_text())
    record |= {"status": "killed", "error": {"type": "TrialKilled", "message": "by signal 9", "traceback": None}, "metrics": {}}
    for one in record["trials"]:
        one |= {"status": "killed", "epochs": [], "error": record["error"]}
    path.write_text(json.dumps(record))
    page = write_report(copy).read_text(encoding="utf-8")
    assert "TrialKilled: by signal 9" in page
    assert "process-w2 failed; see below why." in page


def test_a_thousand_points_give_a_report_that_can_be_sent_around(folder: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    sweep, first = json.loads((folder / "sweep.json").read_text()), json.loads((folder / "0" / "result.json").read_text())
    points = []
    for number in range(1000):
        mode, workers = ("thread", "process")[number % 2], 1 + number // 2
        first["config"] |= {"mode": {"name": mode}, "workers": workers}
        (many / str(number)).mkdir()
        (many / str(number) / "result.json").write_text(json.dumps(first))
        points.append(sweep["points"][0] | {"name": f"{mode}-w{workers}", "folder": str(number)})
    (many / "sweep.json").write_text(json.dumps(sweep | {"points": points, "comparisons": []}))
    assert write_report(many).stat().st_size < 20e6


def test_a_gpu_has_a_row_of_its_own_beside_cpu_and_memory(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "with a GPU"
    shutil.copytree(folder, copy)
    for path in copy.glob("*/samples.csv"):
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},gpu_0_utilization_pct", *(f"{row},37.5" for row in rows)]) + "\n")
    chart = resources.draw(read_subject(copy))
    assert chart is not None
    assert "GPU, %" in chart.svg
    without = resources.draw(read_subject(folder))
    assert without is not None
    assert "GPU" not in without.svg


def test_a_single_point_has_a_report_on_request(program: Program) -> None:
    assert program("mode=thread", "workers=2", "images=6", "task=pillow", "protocol=once", "tracking=none").returncode == 0
    answer = program("report", "outputs")
    assert answer.returncode == 0, answer.stderr
    (page,) = program.folder.glob("outputs/runs/*/*/report.html")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"thread × 2 does [\d.]+ images a second", text)
    assert "Verdicts" not in text.partition("</style>")[2].partition("Figures and verdicts")[0]


def test_a_folder_without_a_record_is_refused_and_the_others_are_made(
    swept: tuple[Program, str], folder: Path, tmp_path: Path
) -> None:
    answer = swept[0]("report", str(tmp_path), str(folder))
    assert answer.returncode == 1
    assert f"{tmp_path}: holds no record" in answer.stderr
    assert "Written:" in answer.stdout
    with pytest.raises(RunnerError, match="holds no record"):
        read_subject(tmp_path)


def test_a_report_that_cannot_be_written_costs_a_message_and_no_result(program: Program) -> None:
    (program.folder / "there" / REPORT).mkdir(parents=True)
    words = ["workers=1,2", "images=4", "task=pillow", "protocol=once", "tracking=none", "hydra.sweep.dir=there"]
    answer = program(*words, "-m")
    assert answer.returncode == 0
    assert "the report could not be made" in answer.stderr
    assert (program.folder / "there" / "sweep.json").is_file()


# ------------------------------------------------------------------------------------------------- a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("takes Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_accessible_quiet_and_fits(browser: Any, folder: Path, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (folder / REPORT).as_uri()
    page.goto(address)
    assert said == []
    assert [url for url in asked if url != address and not url.startswith("data:")] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], found["impact"]) for found in violations if found["impact"] in {"serious", "critical"}] == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(23, 27, 32)")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    context.close()
