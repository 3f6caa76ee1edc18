"""``check --timing``: where the time went, beside the result."""

from __future__ import annotations

import json

import pytest

from uvirtio_tools.cli import main
from uvirtio_tools.judging.history import Setting, Window
from uvirtio_tools.reports.timing import Timing

SETTING = Setting(4, "rng", "1.4", 1.0, 0.1)


def test_windows_of_a_scenario_are_added_up_and_the_longest_comes_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = iter([(0.0, 0.0), (1.0, 0.5), (1.5, 0.5), (4.5, 1.5), (5.0, 2.0)])
    monkeypatch.setattr(Timing, "_now", staticmethod(lambda: next(moments)))
    timing = Timing()
    timing(Window("", (), SETTING, 0))
    timing(Window("stress", (), SETTING, 1))
    timing(Window("stress", (), SETTING, 1, number=2))
    timing.show("a device")
    rows = [line.split() for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert rows[0] == ["where", "the", "time", "of", "a", "device", "went"]
    assert rows[3] == ["stress", "3.500", "1.000", "70", "%"]
    assert rows[4] == ["opening", "the", "device", "1.000", "0.500", "20", "%"]
    assert rows[5] == ["giving", "the", "device", "back", "0.500", "0.500", "10", "%"]
    assert rows[6] == ["all", "of", "it", "5.000", "2.000"]


def test_check_says_it_on_standard_error_and_leaves_the_result_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "emulated:rng", "--only", "V4", "--json", "--timing"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "PASS"
    for words in ("where the time of emulated:rng went", "suspend with", "all of it"):
        assert words in said.err
