"""The checks on the real clock, against a device in a process of its own: directly, and inside QEMU without a guest."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.served import ROOT, served
from tests.lab import modern_qemu

DIRECT = "vfio-user:{folder}/s?control={folder}/c"
IN_QEMU = "qemu:vfio-user-pci?socket={folder}/s&control={folder}/c&qemu={qemu}"
WAYS = [
    pytest.param(DIRECT, id="directly"),
    pytest.param(IN_QEMU, id="inside QEMU", marks=pytest.mark.needs("modern-qemu")),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A locator of the device that is served in ``tmp_path``."""
    return str(request.param).format(folder=tmp_path, qemu=modern_qemu())


def check(locator: str, *options: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, id -> verdict, and the document."""
    command = [sys.executable, "-m", "uvirtio", "check", locator, "--format", "json", *options]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    print(f"{locator}: {time.monotonic() - started:.1f} s")
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    return done.returncode, {result["id"]: result["verdict"] for result in document["results"]}, document


def against(document: dict[str, Any]) -> list[str]:
    """What speaks against the device, as sentences."""
    return [
        f"{result['id']}: {result['summary']}: {result['observed']}"
        for result in document["results"]
        if result["verdict"] in ("FAIL", "WARN", "ERROR")
    ]


@pytest.mark.parametrize("kind", ["rng", "blk", "net", "console"])
def test_nothing_is_held_against_a_conforming_device(kind: str, way: str, tmp_path: Path) -> None:
    options = {"blk": ("--scratch", "0-16383"), "net": ("--peer", "echo"), "console": ("--peer", "echo")}.get(kind, ())
    peer = ("--set", "peer=echo") if kind in ("net", "console") else ()
    with served(tmp_path, kind, *peer):
        status, verdicts, document = check(way, "--cycles", "20", *options)
    assert against(document) == []
    assert status == 0
    assert not document["stopped"]
    assert {verdicts[id_] for id_ in ("V1", "V3", "V4", "V8", "V9", "V10", "V11", "V12", "V15", "V16", "S1")} == {
        "PASS"
    }
    if kind != "rng":
        assert {verdicts[id_] for id_ in ("V5", "V6", "V7")} == {"PASS"}


@pytest.mark.parametrize("fault", ["V1", "V3", "V4", "V6", "V7", "V9", "V11", "V12", "V13", "V15", "V16"])
def test_a_fault_is_found_on_the_real_clock_as_well(fault: str, tmp_path: Path) -> None:
    with served(tmp_path, "blk", "--fault", fault):
        _, verdicts, _ = check(
            DIRECT.format(folder=tmp_path), "--only", f"V8,{fault}", "--timeout", "2", "--scratch", "0-16383"
        )
    assert verdicts[fault] in ("FAIL", "WARN")
    assert verdicts["V8"] == "PASS"
