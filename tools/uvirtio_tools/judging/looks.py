"""Looking at a device without asking it anything: used indices, ring memory, buffers, ISR, the interrupt count."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from uvirtio.device import Device
from uvirtio.queue import QueueState
from uvirtio.queue.observed import Observed
from uvirtio.spec.devices import device_spec, fields_within
from uvirtio.spec.features import Features

__all__ = ["Look", "changed", "moved_indices", "read_configuration", "take_look", "used_between", "watched"]

#: Bytes of configuration that are compared where the specification knows no fields of the type.
_UNKNOWN = 256


def watched(device: Device) -> dict[int, Observed]:
    """The device's queues. It has to be one that records, whose queues know the memory of their buffers."""
    return {index: queue for index, queue in device.queues.items() if isinstance(queue, Observed)}


def read_configuration(device: Device) -> bytes:
    """The device configuration as far as the device has fields in it (2.5.1); what lies between is not read.

    Raises :class:`~uvirtio.errors.ConfigurationUnstable`.
    """
    configuration = device.configuration
    number = device.identity.type
    if not device_spec(number).fields:
        return configuration.piece(0, min(configuration.length, _UNKNOWN))
    data = bytearray()
    # Filled with ones, so that a device that does not answer reads all-ones as a whole.
    for start, end in _runs(number, device.offered, configuration.length):
        data += b"\xff" * (start - len(data)) + configuration.piece(start, end - start)
    return bytes(data)


def _runs(number: int, offered: Features, length: int) -> list[tuple[int, int]]:
    """Where the fields of such a device lie, next to each other joined, as offsets from and to."""
    runs: list[tuple[int, int]] = []
    for field in fields_within(number, offered, length):
        if runs and runs[-1][1] == field.offset:
            runs[-1] = runs[-1][0], field.offset + field.size
        else:
            runs.append((field.offset, field.offset + field.size))
    return runs


class Look(NamedTuple):
    """What was seen at one moment.

    ``isr``: the bits that this look's read of ISR showed, None where it read all-ones. ``queue_bits`` (bit 0 alone),
    ``config_bits`` and ``both_bits`` count such reads since the device was opened. ``memory``: a digest for the
    rings of each queue and for each buffer that is outstanding as far as the driver knows.
    """

    time: float
    used: dict[int, int]
    isr: int | None
    queue_bits: int
    config_bits: int
    both_bits: int
    memory: dict[str, str]
    interrupts: int
    states: dict[int, QueueState]
    status: int | None = None

    @property
    def reaped(self) -> bool:
        """Whether the driver had taken everything that the device had used."""
        return all(state.device_index == state.seen for state in self.states.values())

    def to_json(self) -> dict[str, object]:
        """As evidence."""
        return {
            "time": self.time,
            "status": None if self.status is None else f"{self.status:#04x}",
            "used_index": {str(index): value for index, value in self.used.items()},
            "available_index": {str(index): state.driver_index for index, state in self.states.items()},
            "isr": None if self.isr is None else f"{self.isr:#x}",
            "isr_queue_bits": self.queue_bits,
            "isr_config_bits": self.config_bits,
            "interrupts": self.interrupts,
            "rings": {name: digest for name, digest in self.memory.items() if name.endswith("rings")},
        }


def _digest(data: bytes) -> str:
    """A checksum that shows any accidental change, at a quarter of the cost of a hash that withstands an attacker."""
    return f"{zlib.crc32(data):08x}"


def take_look(device: Device, queues: Mapping[int, Observed], *, status: bool = False, isr_first: bool = False) -> Look:
    """Look at used indices (RAM), ISR (once, which clears it), memory, interrupt count.

    The order matters. After a change used indices come first: what shows in them must show in ISR. Before one
    (``isr_first``) it is the other way round: what is not in the used indices yet must be notified later.
    """
    states: dict[int, QueueState] = {}
    if not isr_first:
        states = {index: queue.state() for index, queue in queues.items()}
    notifications = device.notifications
    all_ones = notifications.all_ones
    bits: int | None = notifications.collect()
    if notifications.all_ones != all_ones:
        bits = None
    if isr_first:
        states = {index: queue.state() for index, queue in queues.items()}
    memory: dict[str, str] = {}
    for index, queue in queues.items():
        memory[f"queue {index} rings"] = _digest(queue.ring_bytes())
        for token, parts in queue.in_flight().items():
            memory[f"queue {index} buffer {token}"] = _digest(b"".join(parts))
    return Look(
        device.clock.now(), {index: state.device_index for index, state in states.items()}, bits,
        notifications.used, notifications.config, notifications.both, memory, notifications.interrupts(), states,
        device.status.read() if status else None,
    )  # fmt: skip


def changed(before: Look, after: Look, *, buffers_only: bool = False) -> list[str]:
    """Names of the rings and buffers that changed from one look to the other, as far as both saw them."""
    return [
        name
        for name, digest in before.memory.items()
        if name in after.memory and after.memory[name] != digest and not (buffers_only and name.endswith("rings"))
    ]


def moved_indices(before: Look, after: Look) -> list[str]:
    """Queues whose used index moved, as sentences, as far as both saw them."""
    return [
        f"queue {index}: used index {before.used[index]} -> {after.used[index]}"
        for index in before.used
        if index in after.used and after.used[index] != before.used[index]
    ]


def used_between(before: Mapping[int, QueueState], after: Mapping[int, QueueState]) -> int:
    """How many entries the used rings grew by, of all queues that are in both; descriptors in a packed ring."""
    return sum(_grown(before[index], after[index]) for index in before if index in after)


def _grown(before: QueueState, after: QueueState) -> int:
    if before.format != "packed":
        return (after.device_index - before.device_index) & 0xFFFF
    # Position and wrap counter (bit 15): a position of the next lap lies one ring size further.
    lap = ((after.device_index ^ before.device_index) >> 15) * before.size
    return (after.device_index & 0x7FFF) - (before.device_index & 0x7FFF) + lap
