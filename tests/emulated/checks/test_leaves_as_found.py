"""A run of checks leaves the host side as it was, not only the device."""

from __future__ import annotations

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.result import CheckRun
from uvirtio_tools.scenarios.running import run_checks


def test_requests_take_as_long_after_the_checks_as_before() -> None:
    bus = EmulatedBus(parse("emulated:rng?latency=0.003"))
    with Device(bus, recorder=History(bus.clock)) as device:
        asked: list[float] = []
        fire = bus.triggers.fire

        def note(name: str, **arguments: object) -> None:
            fire(name, **arguments)
            if name == "delay":
                asked.append(bus.function.device.latency)

        bus.triggers.fire = note  # type: ignore[method-assign]
        run_checks(CheckRun("emulated:rng"), device, RunOptions())
        assert max(asked) > 0.003
        assert bus.function.device.latency == 0.003
