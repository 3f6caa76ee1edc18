"""The layout of a device's configuration space, as it is read for a history and made again from one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from uvirtio.access.view import Region
from uvirtio.bus import Function, bar_length
from uvirtio.device import Device
from uvirtio.pci.capabilities import Capability, decode, walk
from uvirtio.pci.header import Identity, read_bars, read_identity
from uvirtio.rules.structures import Layout
from uvirtio.spec.features import Features
from uvirtio.spec.pci import ExtendedCapabilityId, Header
from uvirtio.transport.common_registers import CommonRegisters

__all__ = ["layout_from", "layout_of", "layout_of_function"]

#: Queues whose place of notification is looked at.
_QUEUES = 64


def layout_of(device: Device, registers: CommonRegisters) -> str:
    """The layout of a device that is at DRIVER, as JSON. ``registers`` are its common configuration."""
    count = min(device.transport.queue_count(), _QUEUES)
    offsets = {index: _notify_offset(registers, index) for index in range(count)}
    return _written(device.function, device.identity, device.capabilities, device.offered.mask, offsets)


def layout_of_function(function: Function) -> str:
    """The same of a function that cannot be driven, so that its registers are not read.

    Raises :class:`DeviceGone`, and :class:`NotVirtio` for one that is no virtio device at all.
    """
    capabilities, _ = walk(function.config, partial(bar_length, function))
    return _written(function, read_identity(function.config, function.locator), capabilities, None, None)


def _written(
    function: Function,
    identity: Identity,
    capabilities: list[Capability],
    offered: int | None,
    offsets: dict[int, int] | None,
) -> str:
    return json.dumps(
        {
            "identity": identity._asdict(),
            "capabilities": [[capability.at, capability.raw.hex()] for capability in capabilities],
            "bars": {number: bar_length(function, number) for number in range(Header.BARS)},
            "legacy": any(bar.number == 0 and bar.io for bar in read_bars(function.config)),
            "extended": list(_extended(function.config)),
            "offered": offered,
            "notify_offsets": offsets,
        }
    )


def layout_from(text: str) -> Layout | None:
    """The layout that was written; None where somebody has changed it."""
    try:
        read: dict[str, Any] = json.loads(text)
        bars = {int(number): size for number, size in read["bars"].items()}
        capabilities = tuple(decode(at, bytes.fromhex(raw), bars.get) for at, raw in read["capabilities"])
        offsets = read["notify_offsets"]
        if offsets is not None:
            offsets = {int(queue): int(number) for queue, number in offsets.items()}
        offered = None if read["offered"] is None else Features(read["offered"])
        return Layout(
            Identity(**read["identity"]), capabilities, bars, bool(read["legacy"]), tuple(read["extended"]),
            offered, offsets,
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
