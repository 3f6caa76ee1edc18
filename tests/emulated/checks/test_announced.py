"""What a device announces by itself while it is judged or measured is told, and a figure is then none."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest

from tests.emulated.checks.judging import judge, words
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.errors import WorkloadFailed
from uvirtio.spec.devices.net import STATUS
from uvirtio.spec.features import Features
from uvirtio_tools.benches.flow import Pace, flow, make_pool
from uvirtio_tools.driving.bring_up import BringUp
from uvirtio_tools.driving.opening import open_device
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.suspend_run import SuspendRun
from uvirtio_tools.judging.traffic import TrafficSource
from uvirtio_tools.scenarios.cycling import run_cycles

#: Type -> what the host changes, and what is said of it.
CHANGES = {
    "net": ({"status": 0}, "status changed from 0x1 (LINK_UP) to 0x0"),
    "blk": ({"capacity": 4}, "capacity changed from 32768 512-byte sectors to 4 512-byte sectors"),
    "console": ({"cols": 132}, "cols changed from 80 columns to 132 columns"),
    "balloon": ({"num_pages": 7}, "num_pages changed from 0 4096-byte pages to 7 4096-byte pages"),
}


def suspended(bus: EmulatedBus, monkeypatch: pytest.MonkeyPatch, values: dict[str, int], cycles: int) -> SuspendRun:
    """Run `suspend`; right before the second load the host changes the configuration."""
    run, load, loads = SuspendRun(bus.locator), TrafficSource.load, []

    def change(self: TrafficSource, *, notified: bool = True, count: int | None = None) -> None:
        loads.append(count)
        if len(loads) == 2:
            bus.triggers.fire("change_config", **values)
        load(self, notified=notified, count=count)

    monkeypatch.setattr(TrafficSource, "load", change)
    with Device(bus, recorder=History(bus.clock)) as device:
        run_cycles(run, device, RunOptions(cycles=cycles))
    return run


@pytest.mark.parametrize("kind", CHANGES)
def test_suspend_tells_of_a_change_that_nobody_asked_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bus, (values, said) = EmulatedBus(parse(f"emulated:{kind}")), CHANGES[kind]
    run = suspended(bus, monkeypatch, values, cycles=3)
    told = [[remark for remark in cycle.remarks if "nobody asked" in remark] for cycle in run.cycles]
    assert [len(each) for each in told][:2] == [0, 1]
    assert said in told[1][0]
    assert not any(told[2:])


def test_check_tells_in_which_scenario_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    bus, prove = None, TrafficSource.prove

    def keep(made: EmulatedBus) -> None:
        nonlocal bus
        bus = made

    def change(self: TrafficSource) -> None:
        prove(self)
        nonlocal bus
        if bus is not None:
            bus.triggers.fire("change_config", status=0)
            bus = None

    monkeypatch.setattr(TrafficSource, "prove", change)
    run = judge("emulated:net", only="V9", tamper=keep)
    assert len([remark for remark in run.remarks if "nobody asked for it in V9: after" in remark]) == 1


@pytest.mark.parametrize("kind", CHANGES)
def test_what_a_scenario_asks_for_itself_is_no_news(kind: str) -> None:
    assert not [remark for remark in judge(f"emulated:{kind}").remarks if "nobody asked" in remark]


@pytest.mark.parametrize("kind", ["net", "blk"])
def test_a_figure_during_which_something_was_announced_is_none(kind: str) -> None:
    values, said = CHANGES[kind]
    with open_device(f"emulated:{kind}") as device:
        queues = {0: 32, 1: 32} if kind == "net" else {0: 32}
        BringUp(device, RunOptions(), queues=queues).start(extra=Features.of(STATUS) if kind == "net" else None)
        pool, seen = make_pool(device, 1, (64,), ()) if kind == "net" else make_pool(device, 0, (16,), (512, 1)), 0

        def check(numbers: Sequence[int]) -> None:
            nonlocal seen
            seen += len(numbers)
            if seen == len(numbers):
                assert device.function.triggers is not None
                device.function.triggers.fire("change_config", **values)

        with pytest.raises(WorkloadFailed, match=rf"no figure: after \d+\.\d s {re.escape(said)}"):
            flow(device, pool, 0.02, Pace(8), check=check)
        seen = 1
        assert flow(device, pool, 0.02, Pace(8), check=check).buffers


def test_an_answer_that_is_an_error_is_not_taken_for_a_device_that_writes_while_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = EmulatedBus(parse("emulated:blk"))
    run = suspended(bus, monkeypatch, {"capacity": 4}, cycles=2)
    (reason,) = run.cycles[1].reasons
    assert "answered IOERR" in reason


def test_a_configuration_that_never_holds_still_is_no_news_and_keeps_nothing_from_being_judged() -> None:
    def unsteady(bus: EmulatedBus) -> None:
        device = bus.function.device
        read, generations = device.config_read, itertools.cycle(range(256))

        def another() -> bytearray:
            device.generation = next(generations)
            return read()

        device.config_read = another  # type: ignore[method-assign]

    run = judge("emulated:vsock", tamper=unsteady, only="V8,V9")
    assert words(run) == words(judge("emulated:vsock", only="V8,V9"))
    assert not [remark for remark in run.remarks if "nobody asked" in remark]
