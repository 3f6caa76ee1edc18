"""What the driver's side can do to a function by PCI's own means: take its power, and reset it (PCI PM 1.2, 3.2.4; PCIe, 7.5.3.4).

Configuration space may be that of a function nobody has set up afterwards, so it is put back, as a kernel does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from uvirtio.device import Device
from uvirtio.errors import CannotRun
from uvirtio.spec.pci import CapabilityId, Header, Pcie, Power

__all__ = ["cycles", "function_level_reset", "power_cycle"]

#: What a function gets for a change of its power state, and for a reset (s), and what it is left without power for.
_SETTLES, _RESETS, _AWAY = 0.01, 0.1, 0.05


def _capability(device: Device, number: int) -> int | None:
    return next((each.at for each in device.capabilities if each.id == number), None)


def cycles(device: Device) -> dict[str, Callable[[], None]]:
    """What this function can go through, by name: ``d3hot``, with ``kept`` in its name where it promises to keep its state."""
    found: dict[str, Callable[[], None]] = {}
    words = device.function.config.u16
    if (at := _capability(device, CapabilityId.POWER)) is not None:
        kept = words[(at + Power.CONTROL) // 2] & Power.NO_SOFT_RESET
        found["d3hot, kept" if kept else "d3hot"] = lambda: power_cycle(device)
    at = _capability(device, CapabilityId.PCI_EXPRESS)
    if at is not None and device.function.config.u32[(at + Pcie.CAPABILITIES) // 4] & Pcie.CAN_RESET:
        found["flr"] = lambda: function_level_reset(device)
    return found


def power_cycle(device: Device) -> None:
    """D3hot, and back to D0 after a moment. Raises :class:`CannotRun` where the function does not go there."""
    at = _capability(device, CapabilityId.POWER)
    assert at is not None, "somebody has looked"
    words, place, sleep = device.function.config.u16, (at + Power.CONTROL) // 2, device.clock.sleep
    with _put_back(device):
        words[place] = words[place] | Power.D3HOT
        sleep(_SETTLES)
        went = words[place] & Power.STATE == Power.D3HOT
        sleep(_AWAY)
        words[place] = words[place] & ~Power.STATE
        sleep(_SETTLES)
    if not went:
        raise CannotRun("the function does not go to D3hot")


def function_level_reset(device: Device) -> None:
    """Reset this function alone."""
    at = _capability(device, CapabilityId.PCI_EXPRESS)
    assert at is not None, "somebody has looked"
    words, place = device.function.config.u16, (at + Pcie.CONTROL) // 2
    with _put_back(device):
        words[place] = words[place] | Pcie.RESET
        device.clock.sleep(_RESETS)


@contextmanager
def _put_back(device: Device) -> Iterator[None]:
    """BARs, command and interrupt line, which such a thing may take."""
    words = device.function.config.u32
    places = [*range(Header.BAR0 // 4, Header.BAR0 // 4 + Header.BARS), Header.INTERRUPT_LINE // 4]
    before = {place: words[place] for place in places}
    command = device.function.config.u16[Header.COMMAND // 2]
    try:
        yield
    finally:
        for place, value in before.items():
            if words[place] != value:
                words[place] = value
        device.function.config.u16[Header.COMMAND // 2] = command
