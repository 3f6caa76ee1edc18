"""What others wrote reaches no terminal as an order, no report as a line of ours, and no parser as a trap."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from uvirtio.foreign import parse_json, printable
from uvirtio_tools.cli import main
from uvirtio_tools.driving import machine
from uvirtio_tools.inspect.snapshot import load
from uvirtio_tools.reports import FORMATS, render
from uvirtio_tools.reports.document import load as load_results
from uvirtio_tools.telling import console, say, tell, tell_crash

#: A title for the window, a screen that is cleared (with one character, too), markup, a direction that is turned, a line.
HOSTILE = "[/] [bold]x[/b]\x1b]0;own\x07\x1b[2J\x9b2J\u202e\r\nok 1 V1\n<b>&lt;\ud800"
#: What a terminal acts on: controls of both sets but the newline, and characters that turn the direction of writing.
ORDERS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def defused(text: str) -> None:
    assert not ORDERS.search(text), repr(ORDERS.findall(text))


def hostile(value: Any, keep: frozenset[str], name: str = "") -> Any:
    """A document in which every text is hostile, less those that have to be what they are."""
    if isinstance(value, str):
        return value if name in keep or re.fullmatch("(0x)?[0-9a-f]*", value) else HOSTILE
    if isinstance(value, list):
        return [hostile(item, keep, name) for item in value] or ([HOSTILE] if name in _LISTS else [])
    if isinstance(value, dict):
        return {key: hostile(item, keep, key) for key, item in value.items()}
    return value


_LISTS = {"remarks", "deviations", "notes", "problems", "used_by", "kernel_names"}
_SNAPSHOT = frozenset({"schema", "version", "origin", "kind"})
_RESULT = frozenset({"schema", "version", "verdict", "id", "type"})


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "snapshot.json"
    assert main(["dump", "emulated:rng", "-o", str(path)]) == 0
    document = hostile(json.loads(path.read_text()), _SNAPSHOT)
    document["devices"][0] |= {"bus": "uio", "driver": HOSTILE, "driver_override": HOSTILE, "facts": {HOSTILE: HOSTILE}}
    path.write_text(json.dumps(document))
    load(str(path))
    return path


@pytest.fixture
def result(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    main(["check", "emulated:rng", "--only", "V1,V4", "--format", "json", "-o", str(path)])
    document = hostile(json.loads(path.read_text()), _RESULT)
    for each, verdict in zip(document["results"], ("FAIL", "WARN"), strict=True):
        each |= {"verdict": verdict, "remarks": [HOSTILE], "deviations": [HOSTILE], "evidence": {HOSTILE: HOSTILE}}
    document |= {
        "machine": {HOSTILE: HOSTILE, "hypervisor": HOSTILE},
        "stopped": HOSTILE,
        "started": HOSTILE,
        "verdict": "FAIL",
    }
    path.write_text(json.dumps(document))
    return path


# -- one place for it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünd 漢字 🙂", "plain ünd 漢字 🙂"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x9b2J\x7f\u202e\u2028\ud800", r"\x9b2J\x7f\u202e\u2028\ud800"),
        (7, "7"),
    ],
)
def test_what_is_not_printable_is_told_as_python_would_write_it(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_further_lines_are_kept_where_they_may_be_and_cannot_pass_for_first_ones() -> None:
    assert printable("one\nuvirtio: two\r\n\x1b", lines=True) == "one\n  uvirtio: two\\r\n  \\x1b"


def test_messages_and_lines_are_defused(capsys: pytest.CaptureFixture[str]) -> None:
    tell(HOSTILE)
    say(HOSTILE)
    console().print(HOSTILE)
    console(stderr=True).print(f"[red]{HOSTILE}[/nothing]")
    said = capsys.readouterr()
    for text in (said.out, said.err):
        defused(text)
        assert "[/] [bold]x[/b]" in text
    assert [line for line in (said.err + said.out).splitlines() if line.startswith("ok 1")] == [
        "ok 1 V1", "ok 1 V1",
    ], "the console's own lines are its caller's business"  # fmt: skip


def test_colours_of_ours_stay() -> None:
    import io

    from rich.text import Text

    file = io.StringIO()
    console(file=file, force_terminal=True, color_system="standard").print(Text("\x1b[2Jx", style="red"))
    assert file.getvalue() == "\x1b[31m\\x1b[2Jx\x1b[0m\n"


# -- JSON ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[" * 65 + "]" * 65, '{"a":' * 100_000, "[" * 100_000, "[" + "[]," * 3 + "[[" * 64])
def test_what_is_nested_too_deeply_is_not_parsed(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested deeper than 64|Expecting|unterminated"):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["[" * 64 + "]" * 64, json.dumps(["[" * 1000, '\\"{[' * 100]), json.dumps([[]] * 1000)]
)
def test_what_is_not_too_deep_is_parsed(text: str) -> None:
    assert parse_json(text) == json.loads(text)
    assert parse_json(text.encode()) == json.loads(text)


# -- where it goes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list"], ["show"], ["show", "-vv"]], ids=" ".join)
def test_a_snapshot_steers_no_terminal(
    words: list[str], snapshot: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for more in ([], ["--json"]):
        assert main([*words, "--from", str(snapshot), *more]) == 0
        said = capsys.readouterr()
        defused(said.out + said.err)
    assert "own" in said.out


def test_a_difference_steers_no_terminal(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(snapshot.read_text())
    document["devices"][0]["driver"] = "other\x1b[2J"
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    assert main(["diff", str(snapshot), str(other)]) == 1
    said = capsys.readouterr()
    defused(said.out + said.err)
    assert "other" in said.out


@pytest.mark.parametrize("format_", FORMATS)
def test_a_result_steers_no_terminal(format_: str, result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(result), "--format", format_]) == 1
    assert main(["report", str(result), str(result), "--format", format_]) == 1
    said = capsys.readouterr()
    defused(said.out + said.err)
    assert "own" in said.out


def test_a_result_forges_no_line_of_a_report(result: Path) -> None:
    documents = load_results(str(result))
    tap = render(documents, "tap").splitlines()
    assert [line for line in tap if re.match(r"\s*(not )?ok", line)] == [
        "not ok 1 V1",
        "ok 2 V4",
        "not ok 3 run # ERROR",
    ]
    assert all(line.startswith(("KTAP version 1", "1..", "#", "ok", "not ok")) for line in tap)
    rich = render(documents, "rich")
    assert not [line for line in rich.splitlines() if line.startswith("ok 1")]
    markdown = render(documents, "markdown")
    assert "<b>" not in markdown.replace("\\<b", "")
    assert "&lt;" not in markdown.replace("\\&lt;", "")
    assert "<b>" not in render(documents, "html")


@pytest.mark.parametrize("id_", ["V1\nok 2 V2", "v1", "", "V", "V1 # SKIP", "[/]", "V" * 100_000, "V1"])
def test_an_id_that_is_no_statements_is_refused(id_: str, result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(result.read_text())
    document["results"][1]["id"] = id_
    result.write_text(json.dumps(document))
    assert main(["report", str(result), "--format", "tap"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert len(said.err) < 500
    defused(said.err)


def test_an_id_of_another_release_is_none_of_ours_and_is_shown(result: Path) -> None:
    document = json.loads(result.read_text())
    document["results"][1]["id"] = "ZZ999"
    result.write_text(json.dumps(document))
    assert "ZZ999" in render(load_results(str(result)), "tap")


@pytest.mark.parametrize("words", [("suspend", "emulated:rng"), ("check", "emulated:rng", "--only", "V4")])
def test_a_hypervisor_that_names_itself_in_markup_changes_no_verdict(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("sys_vendor", "product_name", "product_version"):
        (tmp_path / name).write_text(HOSTILE, errors="replace")
    monkeypatch.setattr(machine, "_DMI", tmp_path)
    assert main(words) == 0
    said = capsys.readouterr()
    defused(said.out + said.err)
    assert "PASS" in said.out


def test_a_control_server_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket
    import threading

    from tests.unit.vfio_client.fake import FakeServer

    fake = FakeServer(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "c"))
    listener.listen()

    def refuse() -> None:
        with listener:
            connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(json.dumps({"ok": False, "error": HOSTILE}).encode() + b"\n")

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    assert main(["suspend", f"vfio-user:{tmp_path}/s?control={tmp_path}/c"]) == 3
    thread.join(5)
    fake.join()
    said = capsys.readouterr()
    defused(said.out + said.err)
    assert "refuses 'available'" in said.err


@pytest.mark.parametrize("document", ['{"a": 1%s}' % ("0" * 400), "[-%s]" % ("9" * 41)], ids=["large", "small"])
def test_a_number_without_end_is_refused_and_digits_in_a_text_are_none(document: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        parse_json(document)
    assert parse_json('{"a": "%s", "b": 340282366920938463463374607431768211455}' % ("0" * 400))["b"] == (1 << 128) - 1


@pytest.mark.parametrize("words", [["list", f"--x{HOSTILE}"], ["diff", "a", "b", f"-{HOSTILE}"], [HOSTILE]])
def test_a_name_that_the_shell_has_put_among_the_words_is_quoted(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([word.replace("\ud800", "") for word in words])
    defused(capsys.readouterr().err)


def test_a_crash_quotes_nobody_raw(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        tell_crash(error)
    said = capsys.readouterr().err
    defused(said)
    assert "Traceback" in said
