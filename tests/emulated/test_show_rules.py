"""``show`` says what the specification forbids, by the rules that ``check`` goes by."""

from __future__ import annotations

import json

import pytest

from tests.emulated.checks.where import blk, net, pci
from uvirtio.emulated.console import Console
from uvirtio.rules import net as offered
from uvirtio.spec.statements import STATEMENTS
from uvirtio_tools.cli import main

#: Faults that a look at a device shows, with the device that each is shown on.
SHOWN = {
    fault: locator
    for fault, locator in (pci.WHERE | net.WHERE | blk.WHERE).items()
    if fault
    not in ("P13", "P15", "P16", "P17", "P17-next", "P19", "P19-moved", "P19-reset", "P20", "P21", "P22", "P23")
    and not (fault.startswith("BLK") and fault > "BLK2")
    and not (fault.startswith("NET") and fault not in offered.IDS)
} | {"B12": "emulated:vsock?features=-RING_PACKED"}


def problems(capsys: pytest.CaptureFixture[str], locator: str) -> list[str]:
    assert main(["show", locator, "--json"]) == 0
    found: list[str] = json.loads(capsys.readouterr().out)["problems"]
    return found


@pytest.mark.parametrize("fault", SHOWN)
def test_what_is_broken_is_told_with_how_binding_it_is(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    locator = SHOWN[fault]
    before = problems(capsys, locator)
    more = [
        each
        for each in problems(capsys, f"{locator}{'&' if '?' in locator else '?'}fault={fault}")
        if each not in before
    ]
    if fault in ("P5", "P7", "P9"):  # told beside the capability
        assert any("capability at" in each for each in more)
    else:
        assert any(each.endswith(f"({fault}, {STATEMENTS[fault].level.value})") for each in more), more


@pytest.mark.parametrize("locator", dict.fromkeys(SHOWN.values()))
def test_nothing_is_held_against_a_conforming_device(locator: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not [each for each in problems(capsys, locator) if "MUST" in each]


def test_a_limit_of_zero_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(capsys, "emulated:blk") == []
    monkeypatch.setattr("uvirtio.emulated.blk._SEG_MAX", 0)
    assert problems(capsys, "emulated:blk") == [
        "seg_max is 0: no request keeps that, if it is meant as a limit (BLK9, unspecified)"
    ]


def test_ports_that_have_no_queues_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problems(capsys, "emulated:console") == []
    put = Console.put
    monkeypatch.setattr(
        Console, "put", lambda self, name, value: put(self, name, 9 if name == "max_nr_ports" else value)
    )
    assert problems(capsys, "emulated:console") == [
        "max_nr_ports is 9, and the queues are enough for 2 (CON2, unspecified)"
    ]
    assert main(["check", "emulated:console", "--only", "CON2"]) == 0
    assert "INFO" in capsys.readouterr().out
