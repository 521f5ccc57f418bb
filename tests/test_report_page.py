"""The page: made by a sweep, made again from the record, in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.report import point, subject

from runner.errors import ErrorRecord, RunnerError
from runner.record.reading import REPORT, PointRecord
from runner.report.answer import answer
from runner.report.charts import resources
from runner.report.page import rendered, sections_of, write_report
from runner.report.plain import sparklines
from runner.report.subject import read_subject
from runner.tracking.content import sweep_content


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


def test_a_sweep_ends_with_a_report_and_names_its_path(swept: tuple[Program, str], swept_folder: Path) -> None:
    assert f"To look at: {(swept_folder / REPORT).relative_to(swept[0].folder)}" in swept[1]
    page = (swept_folder / REPORT).read_text(encoding="utf-8")
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
    pictures = {path.stem for path in swept_folder.glob("*.svg")}
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
    for path in swept_folder.glob("*.svg"):
        assert path.read_text(encoding="utf-8").startswith("<?xml")
        assert "var(--" not in path.read_text(encoding="utf-8")


def test_the_report_and_its_pictures_are_artifacts_of_the_parent_run(swept_folder: Path) -> None:
    from runner.record.reading import read_sweep

    names = {file.path.name for file in sweep_content(read_sweep(swept_folder)).files}
    assert {REPORT, "throughput.svg", "noise.svg"} <= names


def test_the_page_needs_nothing_from_outside(swept_folder: Path) -> None:
    page = (swept_folder / REPORT).read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!#|data:,)[^"]+"', page)
    assert "@import" not in page
    assert "<script" not in page
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))


def test_a_report_is_made_again_from_the_record_alone(swept: tuple[Program, str], swept_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(swept_folder, copy)
    for path in [*copy.glob("*.svg"), copy / REPORT]:
        path.unlink()
    (copy / "law.svg").write_text("of another day")
    answer = swept[0]("report", str(copy))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"Written: {copy / REPORT}\n"
    assert not (copy / "law.svg").exists()
    before, after = ((at / "throughput.svg").read_text(encoding="utf-8") for at in (swept_folder, copy))
    assert before == after


def test_the_terminal_shows_the_answer_tables_and_sparklines(swept: tuple[Program, str], swept_folder: Path) -> None:
    answer = swept[0]("report", "--terminal", str(swept_folder))
    assert answer.returncode == 0, answer.stderr
    lines = sparklines(read_subject(swept_folder))
    assert len(lines) == 3
    for line in lines:
        assert line in answer.stdout
    assert "Which bound binds" in answer.stdout
    assert "thread-w1" in answer.stdout


def test_a_sweep_that_was_cut_short_has_a_report_of_what_there_is(swept_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "cut"
    shutil.copytree(swept_folder, copy)
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


def test_points_that_failed_are_named_with_their_reason(swept_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "failed"
    shutil.copytree(swept_folder, copy)
    path = copy / "3" / "result.json"
    record = json.loads(path.read_text())
    record |= {"status": "killed", "error": {"type": "TrialKilled", "message": "by signal 9", "traceback": None}, "metrics": {}}
    for one in record["trials"]:
        one |= {"status": "killed", "epochs": [], "error": record["error"]}
    path.write_text(json.dumps(record))
    page = write_report(copy).read_text(encoding="utf-8")
    assert "TrialKilled: by signal 9" in page
    assert "process-w2 failed; see below why." in page


def test_a_thousand_points_give_a_report_that_can_be_sent_around(swept_folder: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    sweep, first = (
        json.loads((swept_folder / "sweep.json").read_text()),
        json.loads((swept_folder / "0" / "result.json").read_text()),
    )
    points = []
    for number in range(1000):
        mode, workers = ("thread", "process")[number % 2], 1 + number // 2
        first["config"] |= {"mode": {"name": mode}, "workers": workers}
        (many / str(number)).mkdir()
        (many / str(number) / "result.json").write_text(json.dumps(first))
        points.append(sweep["points"][0] | {"name": f"{mode}-w{workers}", "folder": str(number)})
    (many / "sweep.json").write_text(json.dumps(sweep | {"points": points, "comparisons": []}))
    assert write_report(many).stat().st_size < 20e6


def test_a_gpu_has_a_row_of_its_own_beside_cpu_and_memory(swept_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "with a GPU"
    shutil.copytree(swept_folder, copy)
    for path in copy.glob("*/samples.csv"):
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},gpu_0_utilization_pct", *(f"{row},37.5" for row in rows)]) + "\n")
    chart = resources.draw(read_subject(copy))
    assert chart is not None
    assert "GPU, %" in chart.svg
    without = resources.draw(read_subject(swept_folder))
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
    swept: tuple[Program, str], swept_folder: Path, tmp_path: Path
) -> None:
    answer = swept[0]("report", str(tmp_path), str(swept_folder))
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
    assert "the report could not be written" in answer.stderr
    assert (program.folder / "there" / "sweep.json").is_file()


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
def test_the_page_is_accessible_quiet_and_fits(browser: Any, swept_folder: Path, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (swept_folder / REPORT).as_uri()
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
