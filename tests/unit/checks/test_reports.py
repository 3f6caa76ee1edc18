"""Every format is read again by something that did not write it; damaged and newer results are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt

from uvirtio.errors import SnapshotError, UsageError
from uvirtio.foreign import printable
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.statements import STATEMENTS
from uvirtio.suspend import Outcome, Transition
from uvirtio_tools.judging.result import CheckResult, CheckRun
from uvirtio_tools.judging.verdict import Finding, Verdict
from uvirtio_tools.reports import FORMATS, load, render
from uvirtio_tools.reports.dress import POLICY, SCRIPT

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "check.schema.json"
NASTY = "a <b>&amp; | `c` # d \x00 [x](y) \u2028 *e* ]]>"


@pytest.fixture
def document() -> dict[str, Any]:
    """One result of each verdict, with text that every format has to defuse."""
    run = CheckRun(f"emulated:rng?{NASTY}", dialect=V1_4, remarks=[NASTY])
    run.device = {"type": "rng", "id": "1af4:1044", "hypervisor": NASTY}
    run.transitions = [
        Transition("suspend", "1.4", Outcome.DONE, 0x0F, (0x1F,), 0x1B, 0.003, 0.002, 9),
        Transition("suspend", "1.4", Outcome.DONE, 0x0F, (0x1F,), 0x1B, 0.1, 0.09, 30),
        Transition("resume", "1.4", Outcome.DONE, 0x1B, (0x1F,), 0x0F, 0.0, 0.0, 1),
    ]
    access = {
        "time": 1.5, "kind": "read", "space": "common", "register": "device_status", "offset": 20, "width": 1, "value": "0x1b",
        "deviation": None, "repeated": 4, "last": 1.6,
    }  # fmt: skip
    for id_, verdict in (
        ("V1", "PASS"),
        ("V2", "WARN"),
        ("V3", "SKIP"),
        ("V4", "FAIL"),
        ("V5", "ERROR"),
        ("I1", "INFO"),
    ):
        finding = Finding(
            Verdict(verdict), f"{verdict} {NASTY}", f"wanted {NASTY}", f"seen {NASTY}", {"x": NASTY}, [NASTY]
        )
        run.results.append(CheckResult(STATEMENTS[id_], finding, 0.25, [access], [f"D1: {NASTY}"]))
    parsed: dict[str, Any] = json.loads(render([run.to_json()], "json"))
    return parsed


def test_the_json_follows_the_schema_and_comes_back_unchanged(document: dict[str, Any], tmp_path: Path) -> None:
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    path = tmp_path / "result.json"
    path.write_text(render([document], "json"))
    assert load(str(path)) == [document]
    assert [(result["id"], result["verdict"]) for result in document["results"]][:2] == [("V1", "PASS"), ("V2", "WARN")]


def test_the_schema_refuses_a_result_without_a_verdict(document: dict[str, Any]) -> None:
    del document["results"][0]["verdict"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def test_junit_is_read_by_junitparser(document: dict[str, Any]) -> None:
    (suite,) = JUnitXml.fromstring(render([document], "junit").encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 1, 1, 1)
    kinds = {case.name.partition(":")[0]: [type(result) for result in case.result] for case in suite}
    assert kinds == {"V1": [], "V2": [], "V3": [Skipped], "V4": [Failure], "V5": [Error], "I1": []}
    failing = next(case for case in suite if case.name.startswith("V4"))
    assert failing.name == f"V4: {STATEMENTS['V4'].text}"
    assert failing.classname.endswith(".suspend")
    assert failing.result[0].message.startswith("FAIL a <b>&amp; |")
    assert "seen" in failing.result[0].text


def parse_ktap(text: str) -> list[tuple[bool, int, str, str]]:
    """(ok, number, name, directive) of each test, by the grammar of the kernel's documentation."""
    lines = text.splitlines()
    assert lines[0] == "KTAP version 1"
    plan = re.fullmatch(r"1\.\.(\d+)", lines[1])
    assert plan is not None
    tests = []
    for line in lines[2:]:
        if line.startswith(("#", "  ")):
            continue
        found = re.fullmatch(r"(ok|not ok) (\d+) ([^#]+?)(?: # (SKIP|ERROR|TODO|XFAIL|TIMEOUT)(?: (.*))?)?", line)
        assert found is not None, line
        tests.append((found[1] == "ok", int(found[2]), found[3], found[4] or ""))
    assert [number for _, number, _, _ in tests] == list(range(1, int(plan[1]) + 1))
    return tests


def test_ktap_is_read_by_a_parser_of_its_grammar(document: dict[str, Any]) -> None:
    tests = parse_ktap(render([document], "tap"))
    assert [(ok, name, directive) for ok, _, name, directive in tests] == [
        (True, "V1", ""), (True, "V2", ""), (True, "V3", "SKIP"), (False, "V4", ""), (False, "V5", "ERROR"), (True, "I1", ""),
    ]  # fmt: skip
    nested = render([document, document], "tap")
    assert [ok for ok, *_ in parse_ktap(nested)] == [False, False]
    inner = "\n".join(line[2:] for line in nested.splitlines() if line.startswith("  ")).split("\nKTAP")[0]
    assert re.search(r"^# Subtest: emulated:rng", inner, re.MULTILINE)
    assert parse_ktap(inner.replace(inner.splitlines()[1] + "\n", ""))


def test_markdown_is_read_by_a_markdown_parser(document: dict[str, Any]) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(render([document], "markdown"))
    cells = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "td_open"]
    assert {"V1", "V4", "FAIL"} <= set(cells)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens if token.children for child in token.children]
    assert not [child for child in inline if child.type in ("html_inline", "link_open", "code_inline")]


class Page(HTMLParser):
    """Balanced tags, text, and everything that would be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value[1:] for name, value in attrs if name == "href" and value and value.startswith("#")]
        self.outside += [
            name
            for name, value in attrs
            if name in ("src", "href", "srcset", "action", "style") or name.startswith("on")
            if not (name == "href" and (value or "").startswith("#"))
        ]
        self.outside += [tag] * (tag in ("link", "iframe", "img", "object", "base"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "path", "line")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.text += data


def test_html_is_one_whole_page_that_needs_nothing_else(document: dict[str, Any]) -> None:
    for documents in ([document], [document, document]):
        page = Page()
        page.feed(render(documents, "html"))
        page.close()
        assert page.open == []
        assert page.outside == []
        assert printable(NASTY) in page.text
        assert page.scripts == [SCRIPT]
        assert POLICY.count("sha256-") == 1
        assert len(page.ids) == len(set(page.ids))
        assert set(page.links) <= set(page.ids)


def test_the_terminal_report_says_what_failed_and_fits_80_columns(document: dict[str, Any]) -> None:
    text = render([document], "rich", width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "V4 FAIL" in text
    assert "observed: seen" in text
    assert "\x1b[" not in text
    assert "\x1b[" in render([document], "rich", width=80, colour=True)


def test_several_results_become_one_matrix(document: dict[str, Any]) -> None:
    other = json.loads(json.dumps(document))
    other["results"] = [result for result in other["results"] if result["id"] != "V1"]
    other["results"][-1]["verdict"] = "PASS"
    comparison = json.loads(render([document, other], "json"))
    assert comparison["schema"] == "uvirtio/comparison"
    verdicts = {row["id"]: row["verdicts"] for row in comparison["statements"]}
    assert verdicts["V1"] == ["PASS", None]
    assert verdicts["I1"] == ["INFO", "PASS"]
    for format_ in FORMATS:
        assert "V4" in render([document, other], format_)


def damage(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        document[name] = value

    return apply


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (damage("schema", "uvirtio/suspend"), "not a result"),
        (damage("version", 2), "newer uvirtio"),
        (damage("version", "1"), "version is '1'"),
        (damage("results", {}), r"result.results: \{\} is not"),
        (damage("results", [{"id": "V1"}]), r"results\[0\]: verdict is missing"),
        (damage("results", [7]), r"results\[0\]: an object was expected"),
        (damage("latency", {"suspend": {}}), r"latency\[suspend\]: count is missing"),
        (damage("machine", None), r"result\.machine: None is not"),
    ],
)
def test_a_damaged_or_newer_result_is_refused_with_what_is_wrong(
    document: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    change(document)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document))
    with pytest.raises(SnapshotError, match=said):
        load(str(path))


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff" * 3, "[" * 100_000, "null"])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SnapshotError):
        load(str(path))


def test_a_file_that_is_not_there_and_a_format_that_there_is_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="No such file"):
        load(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="no format"):
        render([], "pdf")
