"""What a gate has found: in the terminal, and as Markdown and JUnit's XML for what shows a change to its reviewers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from rich.markup import escape
from rich.table import Table

from runner.display.console import console, print_line
from runner.record.gating_schema import GateJson, GateLimit

_TITLES = ("metric", "old", "new", "new ÷ old", "at least", "at most", "worse if", "verdict", "rounds")
_STYLES = {"worse": "bold red", "not worse": "bold green", "failed": "bold red"}
_HEADS = {"worse": "Worse", "not worse": "Not worse", "not known": "Not known", "failed": "Failed"}

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def gate_text(record: GateJson) -> str:
    """The verdict in one sentence."""
    return f"{_HEADS[record['verdict']]}: {_reason(record)}."


def print_gate(record: GateJson) -> None:
    """Print the sentence, the table and the notes."""
    out = console()
    out.print(record["text"], style=_STYLES.get(record["verdict"], "bold yellow"), markup=False, soft_wrap=True)
    if record["rounds"]:
        table = Table()
        for title in _TITLES:
            table.add_column(title, justify="left" if title in {"metric", "verdict"} else "right")
        for limit in record["limits"]:
            table.add_row(*(escape(cell) for cell in _cells(limit)))
        out.print(table)
        print_line(_error_rate(record))
    for note in record["notes"]:
        out.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=True)


def gate_markdown(record: GateJson) -> str:
    """The same for a comment on a change."""
    lines = [f"**{_plain(record['text'])}**", ""]
    if record["rounds"]:
        lines += [_row(_TITLES), _row(["---", *["---:"] * (len(_TITLES) - 3), "---", "---:"])]
        lines += [_row([_plain(cell) for cell in _cells(limit)]) for limit in record["limits"]]
        lines += ["", _error_rate(record)]
    for name, side, other in (("old", record["old"], record["new"]), ("new", record["new"], record["old"])):
        if own := [word for word in side["overrides"] if word not in other["overrides"]]:
            lines += ["", f"{name}: `{' '.join(own).replace('`', chr(39))}`"]
    lines += [line for note in record["notes"] for line in ("", f"Note: {_plain(note)}")]
    return "\n".join(lines) + "\n"


def gate_junit(record: GateJson) -> str:
    """The same in JUnit's XML, a test case for each limit: it fails where new is worse, and is skipped where that is not known."""
    limits, broken = record["limits"], record["verdict"] == "failed"
    worse = sum(one["verdict"] == "worse" for one in limits)
    skipped = 0 if broken else sum(one["verdict"] == "not known" for one in limits)
    suite = ET.Element(
        "testsuite",
        name="runner gate",
        tests=str(len(limits)),
        failures=str(0 if broken else worse),
        errors=str(len(limits) if broken else 0),
        skipped=str(skipped),
        time=f"{record['trials_s']:.3f}",
    )
    for one in limits:
        case = ET.SubElement(suite, "testcase", classname="runner.gate", name=one["limit"], time="0")
        if broken:
            ET.SubElement(case, "error", message=_xml(record["text"]))
        elif one["verdict"] == "worse":
            ET.SubElement(case, "failure", type="worse", message=_xml(_limit_text(one)))
        elif one["verdict"] == "not known":
            ET.SubElement(case, "skipped", message=_xml(_limit_text(one)))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _reason(record: GateJson) -> str:
    for name, side in (("old", record["old"]), ("new", record["new"])):
        if (error := side.get("error")) is not None:
            return f"the {name} side: {error['type']}: {error['message']}"
    if why := [f"{one['metric']}: {one['why']}" for one in record["limits"] if "why" in one]:
        return "; ".join(why)
    said = [one for one in record["limits"] if one["verdict"] == record["verdict"]]
    text = "; ".join(map(_limit_text, said))
    match record["ended_by"]:
        case "proven":
            return f"{text}; proven in {_rounds(record['rounds'])}"
        case "budget":
            return f"{text}; the budget of {record['budget_s']:g} s is spent after {_rounds(record['rounds'])}"
        case "rounds":
            return f"{text}; all of protocol.max_rounds={record['rounds']} were run"
    return f"ended by the user after {_rounds(record['rounds'])}"


def _limit_text(one: GateLimit) -> str:
    if one["ratio"] is None:
        return f"{one['metric']} has no ratio yet"
    text = f"new has {one['ratio']:.3f} times the {one['metric']} of old"
    low, high = one["low"], one["high"]
    more = "<" in one["limit"]
    limit = f"the limit is {one['limit'].removeprefix(one['metric'])[1:]}"
    if one["verdict"] == "not known":
        return f"{text}, at least {_ratio(low)} and at most {_ratio(high)} ({limit})"
    end = ("at least", low) if (one["verdict"] == "not worse") == more else ("at most", high)
    return f"{text}, {end[0]} {_ratio(end[1])} ({limit})"


def _cells(one: GateLimit) -> list[str]:
    values = [_number(one["old"]), _number(one["new"])]
    ratios = [_ratio(one["ratio"]), _ratio(one["low"]), _ratio(one["high"])]
    return [one["metric"], *values, *ratios, one["limit"].removeprefix(one["metric"]), one["verdict"], str(one["rounds"])]


def _error_rate(record: GateJson) -> str:
    shared = f", over its {len(record['limits'])} limits together" if len(record["limits"]) > 1 else ""
    return f"Of gates like this at most 5 % say «worse» wrongly, and at most 5 % «not worse»{shared}, whenever they end."


def _rounds(count: int) -> str:
    return f"{count} round{'' if count == 1 else 's'}"


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a line and in a cell."""
    return re.sub(r"([\\|<>*_`\[\]])", r"\\\1", " ".join(text.split()))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
