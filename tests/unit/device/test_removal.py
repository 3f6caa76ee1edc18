"""A device that is taken out while somebody waits for it."""

from __future__ import annotations

import pytest

from tests.unit.device.scripted import Scripted
from uvirtio.device import Device
from uvirtio.errors import DeviceGone
from uvirtio.spec.features import Features


@pytest.mark.parametrize("reads", [0xFF, 0x00])
def test_a_look_at_a_device_that_is_gone_says_so_whatever_its_bar_reads(reads: int) -> None:
    function = Scripted()
    device = Device(function)
    device.initialise(Features())
    device.status.check_alive("looking")
    function.gone, function.gone_reads = True, reads
    with pytest.raises(DeviceGone, match=f"while looking, status reads {reads:#04x} and configuration space all-ones"):
        device.status.check_alive("looking")


def test_a_wait_ends_as_soon_as_the_device_is_gone_and_not_at_its_deadline() -> None:
    function = Scripted()
    device = Device(function, timeout=100.0)
    device.initialise(Features())
    function.clock.call_at(function.clock.now() + 1.0, lambda: setattr(function, "gone", True))
    with pytest.raises(DeviceGone, match="while waiting for nothing, status reads 0xff and configuration space"):
        device.wait_for(lambda: False, doing="waiting for nothing")
    assert function.clock.now() < 2.0
