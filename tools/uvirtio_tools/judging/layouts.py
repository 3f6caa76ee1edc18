"""The layout of a device's configuration space, as it is read for a history and made again from one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from uvirtio.access.view import Region
from uvirtio.device import Device
from uvirtio.pci.capabilities import decode
from uvirtio.pci.header import Identity, read_bars
from uvirtio.rules.structures import Layout
from uvirtio.spec.features import Features
from uvirtio.spec.pci import ExtendedCapabilityId, Header
from uvirtio.transport.common_registers import CommonRegisters

__all__ = ["layout_from", "layout_of"]

#: Queues whose place of notification is looked at.
_QUEUES = 64


def layout_of(device: Device, registers: CommonRegisters) -> str:
    """The layout of a device that is at DRIVER, as JSON. ``registers`` are its common configuration."""
    bars = {number: device.bar_length(number) for number in range(Header.BARS)}
    legacy = any(bar.number == 0 and bar.io for bar in read_bars(device.function.config))
    count = min(device.transport.queue_count(), _QUEUES)
    return json.dumps(
        {
            "identity": asdict(device.identity),
            "capabilities": [[capability.at, capability.raw.hex()] for capability in device.capabilities],
            "bars": bars,
            "legacy": legacy,
            "extended": list(_extended(device.function.config)),
            "offered": device.offered.mask,
            "notify_offsets": {index: _notify_offset(registers, index) for index in range(count)},
        }
    )


def layout_from(text: str) -> Layout | None:
    """The layout that was written; None where somebody has changed it."""
    try:
        read: dict[str, Any] = json.loads(text)
        bars = {int(number): size for number, size in read["bars"].items()}
        capabilities = tuple(decode(at, bytes.fromhex(raw), bars.get) for at, raw in read["capabilities"])
        offsets = {int(queue): int(number) for queue, number in read["notify_offsets"].items()}
        return Layout(
            Identity(**read["identity"]), capabilities, bars, bool(read["legacy"]), tuple(read["extended"]),
            Features(read["offered"]), offsets,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return None


def _notify_offset(registers: CommonRegisters, queue: int) -> int:
    registers.put("queue_select", queue)
    return registers.get("queue_notify_off")


def _extended(config: Region) -> Iterator[int]:
    """Ids of the extended capabilities, where that part of configuration space can be read."""
    at, seen = ExtendedCapabilityId.FIRST, set[int]()
    while at and at not in seen and at + 4 <= config.length:
        seen.add(at)
        head = config.u32[at // 4]
        if head in (0, 0xFFFF_FFFF):
            return
        yield head & 0xFFFF
        at = head >> 20 & ~3
