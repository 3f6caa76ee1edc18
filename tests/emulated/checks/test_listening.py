"""`suspend` names a rule that it was not looking for."""

from __future__ import annotations

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.judging.verdict import Verdict
from uvirtio_tools.scenarios.cycling import run_cycles

_RNG = "emulated:rng?latency=0.001"


def suspended(locator: str) -> SuspendRun:
    """One cycle."""
    bus = EmulatedBus(parse(locator))
    run = SuspendRun(locator)
    with Device(bus, recorder=History(bus.clock)) as device:
        run_cycles(run, device, RunOptions())
    return run


@pytest.mark.parametrize(("fault", "where"), [("Q7", "Q7 (2.7.8.2)"), ("N6", "N6 (4.1.4.5.1)"), ("Q4", "Q4 (2.7.5.1)")])
def test_suspend_names_what_it_was_not_looking_for(fault: str, where: str) -> None:
    run = suspended(f"{_RNG}&fault={fault}")
    assert run.verdict is Verdict.FAIL
    assert where in run.reason
    assert fault in {result.statement.id for result in run.results if result.verdict is Verdict.FAIL}
