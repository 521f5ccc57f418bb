"""Names with anything in them: they are shown as names, wherever they are shown, and figures keep their room."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from support.photos import photo
from support.points import measured
from support.rankings import sweep
from support.report import point, subject

from runner.config.options import Folder, Pillow, Sequential
from runner.display.console import console, error_console
from runner.display.labels import room_for_names, shortened
from runner.display.ranking import columns, print_ranking, rows
from runner.display.streams import make_streams_writable
from runner.display.sweep_summary import print_sweep
from runner.record.reading import PointRecord
from runner.record.rows import write_csv
from runner.record.sweep_schema import SweepJson
from runner.report.charts import ranking
from runner.report.page import rendered, sections_of
from runner.tracking.content import point_content
from runner.trial.supervisor import Supervisor


def test_a_name_that_is_too_long_is_shortened_in_its_middle() -> None:
    assert shortened("thread-w1", 9) == "thread-w1"
    assert shortened("thread-w1 source.path=/a/long/path", 13) == "thread…g/path"
    assert room_for_names([["x", "12.3", "out"]], ["point", "images/s", "stands"], 60) == 60 - 11 - 9 - 4


def with_name(name: str) -> SweepJson:
    """A sweep of two points whose second has this name."""
    record = sweep(2)
    record["points"][1]["name"] = record["ranking"][1]["point"] = record["baseline"] = name
    return record


def test_figures_are_shown_whole_beside_names_of_any_length(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two folders with long paths make them, on a terminal of 80 characters."""
    monkeypatch.setattr("runner.display.console._UNFOLDED", 80)
    name = f"thread-w1 source.path=/{'very/' * 40}long"
    record = with_name(name)
    print_sweep(record, Path("outputs/sweeps/one"), everything=True)
    said = capsys.readouterr().out
    assert "…" in said
    for cell in rows(record)[1][1:4]:
        assert cell.split(maxsplit=1)[0] in said
    assert "99.000" in said  # seconds of start-up, in the table of all points
    assert max(map(len, (line for line in said.splitlines() if line.startswith(("│", "┃"))))) <= 80
    assert len(columns(record)) == 7
    print_ranking(console(), record)


def test_codes_of_pictures_and_colours_in_names_are_letters(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("a :x: b", markup=False)
    error_console().print("a :x: b", markup=False)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("a :x: b\n", "a :x: b\n")


def test_piped_lines_are_as_long_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(f"Recorded in {'long/' * 100}", markup=False)
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("columns", ["0", "", " 0 "])
def test_a_terminal_of_no_columns_has_the_usual_number(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    make_streams_writable()
    assert "COLUMNS" not in os.environ


@pytest.mark.parametrize("name", [r"\u003c\1\g<0>", "$x^2_{$", "a$b$c", "<b>&amp;", "a\u202eb"])
def test_a_report_takes_any_name(name: str) -> None:
    one, other = point("thread-w1", 100), point("thread-w2", 120)
    shown = subject([one, PointRecord(other.folder, other.record, name, other.varying)])
    page = rendered(shown, sections_of(shown))
    assert "Content-Security-Policy" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_names_that_differ_in_their_last_digits_are_both_drawn_whole() -> None:
    points = [point("thread-w1", 100), point("thread-w2", 120)]
    named = [
        PointRecord(one.folder, one.record, f"thread {share}", one.varying)
        for one, share in zip(points, ("0.87512", "0.87598"), strict=True)
    ]
    chart = ranking.draw(subject(named))
    assert chart is not None
    for share in ("0.87512", "0.87598"):
        assert f"thread {share}</text>" in chart.svg


def test_file_names_can_neither_forge_a_log_nor_be_calculated(tmp_path: Path, supervisor: Supervisor) -> None:
    folder = tmp_path / "photos"
    photo(folder / "good.jpg")
    for name in ("a\nround 9: ok.jpg", "=1+1.jpg", "b\x1b[2J.jpg", "c\rd.jpg"):
        photo(folder / "made.jpg").rename(folder / name)
    (folder / "b\x1b[2J.jpg").write_bytes(b"no image")
    subject = measured(tmp_path, supervisor, source=Folder(path=str(folder)), images=5, task=Pillow(), mode=Sequential())
    log = (subject.folder / "runner.log").read_text()
    assert "\x1b" not in log
    assert "b\\x1b[2J.jpg failed: UnidentifiedImageError" in log
    text = io.StringIO(newline="")
    write_csv(subject.folder, text)
    names = {row["image"] for row in csv.DictReader(io.StringIO(text.getvalue(), newline=""))}
    assert names == {"good.jpg", "a\\nround 9: ok.jpg", "'=1+1.jpg", "b\\x1b[2J.jpg", "c\\rd.jpg"}


def test_a_name_that_a_store_has_no_room_for_is_cut_and_kept_whole_in_a_tag() -> None:
    one = point("thread-w1", 100)
    one.record["id"] = "x"
    long = f"thread-w1 {'source.path=/a/b ' * 30}"
    whole = PointRecord(one.folder, one.record | {"config": _CONFIG | one.record["config"]}, long, [])
    content = point_content(whole, None)
    assert (len(content.name), content.tags["name"]) == (250, long)


_CONFIG = {
    "images": 2, "tf": {"intra_op": 1, "inter_op": 1}, "source": {"name": "sample"}, "task": {"name": "pillow"}, "sink": {"name": "none"},
    "protocol": {"epochs": 1}, "tracking": {},
}  # fmt: skip
