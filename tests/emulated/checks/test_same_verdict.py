"""`suspend`, `check` and `judge` say the same of the same device."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.emulated.checks.judging import judge, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.faults import FAULTS
from uvirtio.emulated.profiles import PROFILES
from uvirtio_tools.cli import main
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.scenarios.cycling import run_cycles

DEVICES = [f"fault={name}" for name in FAULTS] + [f"profile={name}" for name in PROFILES]
TYPES = ("blk?size=1M&", "rng?")
#: What only a scenario of ``check`` brings to light, and in which verdicts: ``suspend`` makes no access of its own to a
#: suspended device beside its status, and does not wait for the one notification that a suspend may have cost.
BEYOND_SUSPEND = {
    "fault=V8-config": {"V8"},
    "fault=V8-select": {"V8"},
    "fault=V12-cleared": {"V9", "V12", "V16"},
    "fault=V12-last": {"V9", "V12", "V16"},
}


def dialect_of(what: str) -> str:
    """What a person has to say about it."""
    name = what.partition("=")[2]
    return "rfc" if name == "rfc" or name.startswith("R") else "auto"


@cache
def checked(locator: str, dialect: str) -> dict[str, str]:
    """id -> verdict of `check`, without those that had no occasion."""
    return {id_: word for id_, word in words(judge(locator, dialect=dialect)).items() if word != "SKIP"}


def suspended(locator: str, dialect: str) -> dict[str, str]:
    """id -> verdict of `suspend`, over four cycles."""
    bus = EmulatedBus(parse(locator))
    run = SuspendRun(locator)
    with Device(bus, recorder=History(bus.clock)) as device:
        # By one way alone, where check judges by each that the device has.
        interrupts = "msix" if "-msix" in locator else "auto"
        run_cycles(run, device, RunOptions(dialect=dialect, cycles=4, interrupts=interrupts))
    return {result.statement.id: result.verdict.value for result in run.results if result.verdict.value != "SKIP"}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("what", DEVICES)
def test_a_statement_that_both_commands_could_judge_gets_the_same_verdict_from_both(what: str, kind: str) -> None:
    locator, dialect = f"emulated:{kind}{what}", dialect_of(what)
    ours, theirs = suspended(locator, dialect), checked(locator, dialect)
    both = {id_: (ours[id_], theirs[id_]) for id_ in ours if id_ in theirs}
    unlike = {id_: pair for id_, pair in both.items() if pair[0] != pair[1]}
    assert set(unlike) <= BEYOND_SUSPEND.get(what, set())
    assert all(pair[0] == "PASS" for pair in unlike.values())
    assert not set(ours) - set(theirs), "what `suspend` can judge `check` can"
    if what in ("profile=virtio-1.4", "profile=rfc", "profile=crosvm"):
        assert len(both) >= 5


def result_of(path: Path) -> dict[str, Any]:
    """A document without what only a live run knows."""
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("what", DEVICES)
def test_a_history_gets_the_verdicts_that_the_device_got(what: str, kind: str, tmp_path: Path) -> None:
    history, live, again = (str(tmp_path / name) for name in ("history", "live", "again"))
    words = ["check", f"emulated:{kind}{what}", "--dialect", dialect_of(what), "--format", "json"]
    status = main([*words, "--history", history, "-o", live])
    assert main(["judge", history, "--format", "json", "-o", again]) == status
    assert result_of(Path(again)) == result_of(Path(live))


def test_a_history_of_suspend_can_be_judged_as_well(tmp_path: Path) -> None:
    history, again = str(tmp_path / "history"), tmp_path / "again"
    assert main(["suspend", "emulated:blk?fault=V4", "--cycles", "2", "--json", "--history", history]) == 1
    assert main(["judge", history, "--format", "json", "-o", str(again)]) == 1
    verdicts = {result["id"]: result["verdict"] for result in result_of(again)["results"]}
    assert verdicts["V4"] == "FAIL"
    assert verdicts["V8"] == "PASS"
    assert verdicts["V13"] == "SKIP"


def test_several_histories_are_judged_at_once_and_the_worst_is_the_status(tmp_path: Path) -> None:
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    assert main(["check", "emulated:rng", "--history", good, "-o", str(tmp_path / "a")]) == 0
    assert main(["check", "emulated:rng?fault=V3", "--history", bad, "-o", str(tmp_path / "b")]) == 1
    assert main(["judge", good, "-o", str(tmp_path / "c")]) == 0
    assert main(["judge", good, bad, "-o", str(tmp_path / "d")]) == 1
    assert main(["judge", good, bad, "--only", "V8,V9", "-o", str(tmp_path / "e")]) == 0
