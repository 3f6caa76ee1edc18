"""The functions of the PC around the device, behind bridges too, and which of them is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import NoSuchDevice
from ...spec.ids import is_virtio
from ...spec.pci import Bridge, Header
from .machine import Slot
from .qtest import Qtest

__all__ = ["choose", "identifiers", "slots"]

_LAST_BUS = 0xFF


def slots(qtest: Qtest) -> list[Slot]:
    """Every function, in order. Bridges are given their bus numbers on the way, as a firmware does it."""
    found: list[Slot] = []
    _walk(qtest, 0, (), found)
    return found


def _walk(qtest: Qtest, bus: int, bridges: tuple[Slot, ...], found: list[Slot]) -> int:
    """Add the functions of a bus and of those behind it; returns the highest number that has been given to a bus."""
    last = bus
    for slot in _on_bus(qtest, bus, bridges):
        found.append(slot)
        if slot.config.u8[Header.HEADER_TYPE] & 0x7F == Bridge.HEADER_TYPE and last < _LAST_BUS:
            numbers = slot.config.u8
            numbers[Bridge.PRIMARY], numbers[Bridge.SECONDARY] = bus, last + 1
            numbers[Bridge.SUBORDINATE] = _LAST_BUS  # until it is known what there is behind it
            last = _walk(qtest, last + 1, (*bridges, slot), found)
            numbers[Bridge.SUBORDINATE] = last
    return last


def _on_bus(qtest: Qtest, bus: int, bridges: tuple[Slot, ...]) -> Iterator[Slot]:
    for device in range(32):
        first = Slot(qtest, device, 0, bus, bridges)
        if first.config.u32[0] == 0xFFFF_FFFF:
            continue
        yield first
        if first.config.u8[Header.HEADER_TYPE] & 0x80:
            for function in range(1, 8):
                other = Slot(qtest, device, function, bus, bridges)
                if other.config.u32[0] != 0xFFFF_FFFF:
                    yield other


def identifiers(buses: Any) -> dict[str, str]:
    """Address -> ``id=`` of each device that has one, from what QMP's ``query-pci`` answers."""
    found: dict[str, str] = {}
    for bus in buses:
        for device in bus.get("devices", ()):
            if device.get("qdev_id"):
                found[f"{device['bus']:02x}:{device['slot']:02x}.{device['function']:x}"] = device["qdev_id"]
            found |= identifiers([device.get("pci_bridge", {})])
    return found


def choose(everything: list[Slot], ids: Mapping[str, str], wanted: str | None, ours: str, locator: str) -> Slot:
    """The virtio function that is meant: ``wanted`` (an id or an address), else the one called ``ours``, else the only one.

    Raises :class:`NoSuchDevice` where there is none, or none is named among several.
    """
    virtio = [slot for slot in everything if is_virtio((id_ := slot.config.u32[0]) & 0xFFFF, id_ >> 16)]
    if not virtio:
        seen = ", ".join(_named(slot, ids) for slot in everything) or "nothing"
        raise NoSuchDevice(f"{locator}: QEMU runs, but there is no virtio function in it, only {seen}")
    if wanted is not None:
        meant = [slot for slot in virtio if wanted in (slot.name, f"0000:{slot.name}", ids.get(slot.name))]
    else:
        meant = [slot for slot in virtio if ids.get(slot.name) == ours] or virtio
    if len(meant) == 1:
        return meant[0]
    there = ", ".join(_named(slot, ids) for slot in virtio)
    if wanted is not None:
        raise NoSuchDevice(f"{locator}: device={wanted} is no virtio function of this QEMU; there are {there}")
    raise NoSuchDevice(f"{locator}: QEMU has several virtio functions; choose one by device=: {there}")


def _named(slot: Slot, ids: Mapping[str, str]) -> str:
    number = slot.config.u32[0]
    name = f"{slot.name} {number & 0xFFFF:04x}:{number >> 16:04x}"
    return f"{ids[slot.name]} ({name})" if slot.name in ids else name
