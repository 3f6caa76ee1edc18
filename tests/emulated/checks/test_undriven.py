"""A device that cannot be driven is judged by what its configuration space shows."""

from __future__ import annotations

import json

import pytest

from uvirtio.emulated import faults_pci
from uvirtio.emulated.faults import FAULTS
from uvirtio.spec.pci import StructureType
from uvirtio_tools.cli import main


class WithoutIsr(faults_pci._Moved):
    """Its ISR structure lies beyond the BAR."""

    def placed(self, kind: int, offset: int, length: int, extra: bytes) -> tuple[int, int, bytes]:
        return (0x10_0000 if kind == StructureType.ISR else offset), length, extra


@pytest.fixture
def without_isr(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(FAULTS, "P6-isr", (WithoutIsr,))
    return "emulated:rng?fault=P6-isr"


def test_it_is_a_failure_of_what_it_breaks_with_a_whole_report(
    without_isr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", without_isr, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    verdicts = {result["id"]: result["verdict"] for result in document["results"]}
    assert verdicts["P6"] == "FAIL"
    assert verdicts["P1"] == verdicts["P7"] == "PASS"
    assert verdicts["V13"] == "SKIP"
    assert document["verdict"] == "FAIL"
    assert "no usable ISR structure" in document["stopped"]


def test_what_breaks_nothing_that_was_asked_for_is_told_as_before(
    without_isr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", without_isr, "--only", "V13"]) not in (0, 1)
    assert "no usable ISR structure" in capsys.readouterr().err
