"""The reports of a guest, which the host reads while they are being written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vm.growing import GrowingLines
from tests.vm.runner import GuestRunner


def test_a_line_is_taken_once_and_only_when_it_has_come_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports"
    rows = [{"nodeid": "ä" * 5}, {"nodeid": "b"}]
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.touch()
    taken = []
    with GrowingLines(path) as lines, path.open("ab", buffering=0) as file:
        for byte in written:
            file.write(bytes((byte,)))
            taken.append(lines.take())
    ends = [number for number, byte in enumerate(written) if byte == 0x0A]
    assert {number: found for number, found in enumerate(taken) if found} == {
        end: [row] for end, row in zip(ends, rows, strict=True)
    }


def test_what_goes_wrong_on_the_host_fails_the_test_and_not_the_run(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = GuestRunner()

    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(runner, "_guest_for", refuse)
    reports = runner.run(request.node, None)
    assert [(report.when, report.outcome) for report in reports] == [
        ("setup", "passed"), ("call", "failed"), ("teardown", "passed"),
    ]  # fmt: skip
    assert "OSError: no space left" in str(reports[1].longrepr)
