"""Stacks as py-spy writes them: how they are read, what each kind of frame is taken for, and how they are drawn."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from runner.analysis.stacks import Kind, Profile, Stack, kind_of, stacks_of
from runner.report.flame_graph import flame_graph

WORK = "Pipeline.handle (runner/pipeline/hot_path.py:104)"
LOAD = "ImageFile.load (PIL/ImageFile.py:296)"


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (["box_sums (mine.py:5)"], "interpreter"),
        (["box_sums (mine.py:5)", "long_add (libpython3.11.so.1.0)"], "interpreter"),
        (["box_sums (mine.py:5)", "malloc (libc.so.6)", "0x7f00 (libc.so.6)"], "interpreter"),
        (["read (mine.py:5)", "open64 (libc.so.6)"], "interpreter"),
        ([LOAD], "interpreter"),
        ([LOAD, "_decode (decode.c:136)"], "decoder"),
        ([LOAD, "jpeg_read_scanlines (libjpeg-6dc8d115.so.62.4.0)", "0x7f00 (libjpeg-6dc8d115.so.62.4.0)"], "decoder"),
        (["go (mine.py:5)", "FLOAT_add (numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so)"], "decoder"),
        (["run (mine.py:5)", "decode_mcu (tensorflow/libtensorflow_cc.so.2)", "malloc (libc.so.6)"], "decoder"),
        ([LOAD, "_decode (decode.c:136)", "0x7f00 (libc.so.6)"], "copy"),
        ([LOAD, "_decode (decode.c:136)", "__memmove_avx_unaligned_erms (libc.so.6)"], "copy"),
        (["ForkingPickler.dumps (multiprocessing/reduction.py:48)"], "copy"),
        (["Connection._send (multiprocessing/connection.py:381)", "os_write (libpython3.11.so)", "write (libc.so.6)"], "copy"),
        (["FileReader.read (runner/pipeline/sources/local.py:17)", "read (libc.so.6)"], "copy"),
        (["Connection._recv (multiprocessing/connection.py:390)", "os_read (libpython3.11.so)", "read (libc.so.6)"], "waiting"),
        (["go (mine.py:5)", "time_sleep (libpython3.11.so)", "clock_nanosleep (libc.so.6)"], "waiting"),
        (["get (queue.py:1)", "PyThread_acquire_lock_timed (libpython3.11.so)", "0x7f00 (libc.so.6)"], "waiting"),
        (["0x7f00 (?)"], "other"),
    ],
)  # fmt: skip
def test_the_innermost_frame_that_says_something_decides(inner: list[str], kind: Kind) -> None:
    assert kind_of(["Thread.run (threading.py:971)", WORK, *inner][0 if kind != "other" else 2 :], native=True) == (kind, False)


def test_a_wait_for_a_condition_is_one_for_the_interpreters_lock() -> None:
    for inner in (["box_sums (mine.py:5)"], [LOAD, "_decode (decode.c:139)"]):
        frames = [WORK, *inner, "pthread_cond_timedwait (libc.so.6)", "0x7f00 (libc.so.6)"]
        assert kind_of(frames, native=True) == ("waiting", True)


@pytest.mark.parametrize(
    ("innermost", "kind"),
    [
        ("box_sums (mine.py:5)", "interpreter"),
        (LOAD, "decoder"),
        ("Connection._recv (multiprocessing/connection.py:390)", "waiting"),
        ("Condition.wait (threading.py:320)", "waiting"),
        ("ForkingPickler.dumps (multiprocessing/reduction.py:48)", "copy"),
    ],
)
def test_without_native_frames_the_innermost_frame_of_python_stands_for_what_it_calls(innermost: str, kind: Kind) -> None:
    assert kind_of([WORK, innermost], native=False)[0] == kind


def test_a_line_is_read_whatever_command_line_stands_in_it() -> None:
    text = (
        'process 7:"python -c import x; main(5, [\'a b\'])";process 8:"python -c \\"y\\"; 3";thread (9): Thread-2 (f);f (a.py:1);g (b.so) 12\n'
        "no stack\n"
        f'process 7:"python";thread (7): MainThread;{WORK} 3\n'
    )
    first, second = stacks_of(text)
    assert first == Stack(("8", "9"), ("f (a.py:1)", "g (b.so)"), 12)
    assert second == Stack(("7", "7"), (WORK,), 3)
    assert list(stacks_of(f"{first}\n{second}\n")) == [first, second]


def test_threads_that_handle_images_are_told_from_the_others() -> None:
    idle = "wait (x.py:1)", "poll (libc.so.6)"
    stacks = [Stack(("1", "2"), (WORK, "f (a.py:1)"), 30), Stack(("1", "2"), idle, 10), Stack(("1", "1"), idle, 40)]
    profile = Profile(stacks, native=True)
    assert (profile.workers.threads, profile.workers.samples, profile.workers.pct("interpreter")) == (1, 40, 75)
    assert (profile.others.samples, profile.others.pct("waiting")) == (40, 100)
    assert profile.shown.text == "interpreter 75 %, waiting 25 %"
    assert Profile(stacks[1:], native=True).shown.samples == 50, "all of them, where no thread handles images"
    assert Profile([], native=True).shown.text == "no samples"


def test_the_picture_has_what_was_seen_and_nothing_that_runs() -> None:
    profile = Profile(
        [
            Stack(("1", "2"), (WORK, "f <script>alert(1)</script> (a.py:1)"), 3),
            Stack(("1", "2"), (WORK, "0x7f00 (b.so)", "0x7f08 (b.so)"), 1),
            Stack(("1", "1"), ("poll (libc.so.6)",), 9),
        ],
        native=True,
    )
    root = ET.fromstring(flame_graph(profile, "a & b"))  # noqa: S314  (made here)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "rect", "text", "g"}
    tips = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "f <script>alert(1)</script> (a.py:1): 75.0 %, 3 samples, mostly interpreter" in tips
    assert sum(tip.startswith("? (b.so): 25.0 %") for tip in tips) == 1, "frames without a name are one"
    assert not any("poll" in tip for tip in tips), "threads that handle nothing are not drawn"
