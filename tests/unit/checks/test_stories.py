"""What a report says of a device that breaks something: the verdict, then the story, in words and to scale, then the rest."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from uvirtio_tools.cli import main
from uvirtio_tools.reports import load, render
from uvirtio_tools.reports.drawing import draw, stretches
from uvirtio_tools.reports.phrases import seconds

from .jenkins import faults

ROOT = Path(__file__).parents[3]
#: Devices that break something in each chapter, and what makes each of them fail.
BROKEN = {
    "emulated:blk?fault=V4": "V4", "emulated:rng?fault=V3-msix": "V3", "emulated:rng?profile=stuck": "V8", "emulated:rng?fault=Q7": "Q7",
    "emulated:net?fault=NET12": "NET12", "emulated:rng?fault=P19": "P19", "emulated:rng?fault=S3-size": "S3", "emulated:blk?size=1M&fault=B8": "B8",
}  # fmt: skip
#: What only Python writes: a name with arguments, a container of quoted words, None, True, False.
PYTHON = re.compile(r"\b[A-Z]\w+\(\w+=|\[['\"(]|\{'|\bNone\b|\bTrue\b|\bFalse\b|&#x27;[,\]]|<[a-z_.]+ object")


@cache
def judged(locator: str) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/result.json"
        assert main(["check", locator, "-o", path]) == 1
        (document,) = load(path)
    return json.dumps(document)


def result(document: dict[str, Any], id_: str) -> dict[str, Any]:
    return next(each for each in document["results"] if each["id"] == id_)


@pytest.mark.parametrize("locator", BROKEN)
@pytest.mark.parametrize("format_", ["html", "markdown", "rich", "junit", "tap"])
def test_a_report_has_no_python_in_it(locator: str, format_: str) -> None:
    text = render([json.loads(judged(locator))], format_)
    if format_ == "html":
        text = re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert PYTHON.findall(text) == []


@pytest.mark.parametrize("locator", BROKEN)
def test_a_story_has_a_timeline_that_ends_with_what_was_seen(locator: str) -> None:
    document = json.loads(judged(locator))
    jsonschema.validate(document, json.loads((ROOT / "docs" / "schemas" / "check.schema.json").read_text()))
    told = result(document, BROKEN[locator])
    assert told["verdict"] == "FAIL"
    assert told["timeline"]
    times = [moment["time"] for moment in told["timeline"]]
    assert times == sorted(times)
    assert told["accesses"][-1]["time"] <= times[-1]
    passed = [each for each in document["results"] if each["verdict"] == "PASS"]
    assert not [each["id"] for each in passed if "timeline" in each]


def test_the_accesses_of_a_failure_end_where_it_was_seen_and_not_where_the_scenario_ends() -> None:
    told = result(json.loads(judged("emulated:blk?fault=V4")), "V4")
    last = told["evidence"]["last"]["time"]
    assert told["accesses"][-1]["time"] <= round(last, 9)
    moved = [moment for moment in told["timeline"] if moment["kind"] == "moved"]
    assert moved[-1]["text"] in ("queue 0: used index 32806 -> 32818",)


@pytest.mark.parametrize("format_", ["html", "markdown"])
def test_a_report_opens_with_the_verdict_then_tells_the_stories_then_everything(format_: str) -> None:
    text = render([json.loads(judged("emulated:blk?fault=V4"))], format_)
    body = text.partition("<body>")[2] or text
    marks = [
        "FAIL",
        "Broken: V4, V10, V11.",
        "used rings, descriptors and buffers stay",
        "used index 32806",
        "Every statement",
    ]
    places = [body.index(mark if format_ == "html" else mark.replace(">", "\\>")) for mark in marks]
    assert places == sorted(places)


def test_an_older_result_without_timelines_is_drawn_from_its_accesses() -> None:
    document = json.loads(judged("emulated:blk?fault=V4"))
    for each in document["results"]:
        each.pop("timeline", None)
    assert 'class="timeline"' in render([document], "html")


@pytest.mark.parametrize("locator", BROKEN)
def test_jenkins_accepts_the_junit_and_gets_names_that_say_something(locator: str) -> None:
    document = json.loads(judged(locator))
    text = render([document, document], "junit")
    assert faults(text) == []
    assert f'name="{BROKEN[locator]}: ' in text


def test_a_timeline_is_drawn_to_one_scale_and_leaves_silence_out() -> None:
    assert stretches([0.0, 1e-4, 2e-4, 5.0, 5.0001]) == [(0.0, 2e-4), (5.0, 5.0001)]
    assert stretches([3.0]) == [(3.0, 3.0)]
    times = [0.0, 1e-4, 3e-4, 5.0]
    figure = draw([{"time": time, "lane": "ring", "kind": "look", "text": "x"} for time in times])
    first, second, third, _ = [float(x) for x in re.findall(r'class="look" x1="([0-9.]+)"', figure)]
    assert (third - second) == pytest.approx(2 * (second - first), abs=0.2)
    assert "(5 s)" in figure
    assert draw([]) == ""


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.0, "0 µs"), (1.4e-4, "140 µs"), (0.0123456, "12.35 ms"), (2.0, "2 s"), (86400.0, "8.64e+04 s".replace("8.64e+04", "86400"))],
)  # fmt: skip
def test_times_have_their_unit(number: float, words: str) -> None:
    assert seconds(number) == words


@pytest.mark.parametrize(
    ("name", "status"), [("x.xml", 0), ("x.html", 0), ("x.txt", 0), ("x", 0), ("x.pdf", 2), ("x.csv", 2)]
)
def test_the_ending_of_a_file_says_the_format_or_is_refused(tmp_path: Path, name: str, status: int) -> None:
    path = tmp_path / name
    assert main(["check", "emulated:rng", "--only", "V8", "-o", str(path)]) == status
    assert path.exists() == (status == 0)
    if name == "x.xml":
        assert faults(path.read_text()) == []


def test_a_format_that_is_said_needs_no_ending(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    assert main(["check", "emulated:rng", "--only", "V8", "--format", "json", "-o", str(path)]) == 0
    assert load(str(path))
