"""``bench --judge``: what a device breaks that nobody was looking for is named."""

from __future__ import annotations

import json

import pytest

from uvirtio_tools.cli import main


@pytest.mark.parametrize(("fault", "said"), [("Q7", "Q7 FAIL"), ("N6", "N6 FAIL"), ("Q4", "Q4 FAIL")])
def test_a_rule_that_a_device_breaks_is_named(fault: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "rng", f"emulated:rng?fault={fault}", "--judge", "--seconds", "0.01"]) == 1
    assert said in capsys.readouterr().err


def test_one_that_breaks_none_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "rng", "--judge", "--seconds", "0.01", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["broken"] == []
    assert document["rows"]


def test_a_bench_without_a_device_has_nothing_to_judge(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ring", "--judge"]) == 2
    assert "--judge is for benches with a device" in capsys.readouterr().err
