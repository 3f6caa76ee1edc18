"""A function whose status byte follows a script: for what the life of a device does with strange answers.

It has common configuration, a notify and an ISR structure, one queue, and nothing behind the queue. It is not a
device model: it answers with what a test tells it to answer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from uvirtio.access.clock import SimulatedClock
from uvirtio.access.dma import Arena
from uvirtio.access.interrupt import NoLine
from uvirtio.access.view import Region
from uvirtio.bus import Surroundings
from uvirtio.spec.registers import COMMON

STATUS = COMMON["device_status"].offset
#: Nothing special about a function.
PLAIN = Surroundings(legacy=False, translated=False, mapped=False, kernel_vectors=False, disposable=False, echoes=False)


class Memory(Arena):
    """Plain memory at an address that is no offset."""

    def grow(self, size: int) -> tuple[memoryview, int]:
        return memoryview(bytearray(max(size, 1 << 20))), 0x2_4000_0000

    def close(self) -> None:
        """Nothing to give back."""


class Scripted:
    """The function. ``answer(self, value)`` is called for each status write and returns nothing; it sets ``status``,
    now or by ``clock.call_at``. ``reads`` may replace the status by an iterator's next value."""

    bus = "test"
    locator = "test:scripted"
    triggers = None
    surroundings = PLAIN
    notes = ()

    def __init__(
        self, *, features: int = 1 << 32 | 1 << 43, answer: Callable[[Scripted, int], None] | None = None
    ) -> None:
        self.clock = SimulatedClock()
        self.line = NoLine(self.clock, "test")
        self.dma = Memory()
        self.features = features
        self.accepted = 0
        self.status = 0
        self.writes: list[int] = []
        self.answer = answer or store
        self.gone = False
        #: What a register of a device that is gone reads: all-ones, or 0 on some hosts.
        self.gone_reads: int | None = None
        self.queue_size = 8
        self.registers: dict[int, int] = {}
        self.notified: list[int] = []
        self.closed = 0
        #: The status at each time that the driver let the device reach memory.
        self.mastering_at: list[int] = []
        header = bytearray(256)
        struct.pack_into("<HHHH", header, 0, 0x1AF4, 0x1044, 0, 0x10)
        header[0x34] = 0x40
        places = ((1, 0, 0x38, b""), (2, 0x100, 4, struct.pack("<I", 4)), (3, 0x200, 1, b""))
        at = 0x40
        for number, (kind, offset, length, extra) in enumerate(places):
            following = 0 if number == 2 else at + 0x20
            header[at : at + 16 + len(extra)] = (
                bytes([9, following, 16 + len(extra), kind, 0, 0, 0, 0]) + struct.pack("<II", offset, length) + extra
            )
            at += 0x20
        self._header = header
        self.config = Region.calls(self._config_read, lambda *_: None, 256)

    def _config_read(self, offset: int, width: int) -> int:
        if self.gone:
            return (1 << 8 * width) - 1
        return int.from_bytes(self._header[offset : offset + width], "little")

    def bar(self, number: int) -> Region:
        return Region.calls(self._read, self._write, 0x300 if number == 0 else 0)

    def _read(self, offset: int, width: int) -> int:
        if self.gone:
            return (1 << 8 * width) - 1 if self.gone_reads is None else self.gone_reads
        if offset == STATUS:
            return self.status
        if offset == COMMON["device_feature"].offset:
            return self.features >> 32 * self.registers.get(0, 0) & 0xFFFF_FFFF
        if offset == COMMON["num_queues"].offset:
            return 1
        if offset == COMMON["queue_size"].offset:
            return self.queue_size
        if offset == COMMON["queue_notify_off"].offset:
            return 0
        return self.registers.get(offset, 0)

    def _write(self, offset: int, width: int, value: int) -> None:
        if offset == STATUS:
            self.writes.append(value)
            self.answer(self, value)
        elif offset == COMMON["driver_feature"].offset:
            self.accepted |= value << 32 * self.registers.get(8, 0)
        elif offset >= 0x100:
            self.notified.append(value)
        else:
            self.registers[offset] = value

    def enable_bus_mastering(self) -> None:
        self.mastering_at.append(self.status)

    def facts(self) -> dict[str, str]:
        return {}

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def store(device: Scripted, value: int) -> None:
    """Store every byte, as devices do that know nothing of SUSPEND."""
    device.status = value
    if value == 0:
        device.accepted = 0


def conforming(delay: float = 0.001) -> Callable[[Scripted, int], None]:
    """Virtio 1.4: 0x1f while running suspends to 0x1b after a delay, 0x1f while suspended resumes to 0x0f."""

    def answer(device: Scripted, value: int) -> None:
        if value == 0 or not value & 4:
            store(device, value)
            return
        if value & 0x10 and device.status & 0x14 == 0x04:
            device.clock.call_at(device.clock.now() + delay, lambda: setattr(device, "status", 0x1B))
        elif value & 0x10 and device.status & 0x14 == 0x10:
            device.clock.call_at(device.clock.now() + delay, lambda: setattr(device, "status", 0x0F))
        else:
            device.status = value

    return answer
