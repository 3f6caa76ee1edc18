"""A tiny driver of its own for these tests: raw register pokes and a split ring, straight from the specification.

It shares nothing with the library's driver, so that both are not wrong together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from uvirtio.bus.emulated import EmulatedBus, open_emulated
from uvirtio.bus.locator import parse

COMMON, ISR, DEVICE, NOTIFY = 0x0000, 0x1000, 0x2000, 0x3000
STATUS = COMMON + 0x14
SUSPEND_14, SUSPEND_CHROMIUM, SUSPEND_RFC = 43, 42, 41


class RawQueue:
    """A split virtqueue in memory that the test allocated; every buffer is one chain of fresh descriptors."""

    def __init__(self, raw: Raw, index: int, size: int) -> None:
        self.raw, self.index, self.size = raw, index, size
        self.memory = raw.bus.dma.allocate(16 * size + 6 + 2 * size + 64 + 6 + 8 * size, 4096)
        self.avail = 16 * size
        self.used = (self.avail + 6 + 2 * size + 3) & ~3
        self.next_descriptor = 0
        self.avail_index = 0
        self.seen = 0

    def addresses(self) -> tuple[int, int, int]:
        base = self.memory.address
        return base, base + self.avail, base + self.used

    def publish(self, *buffers: tuple[int, int, bool]) -> int:
        """Make one chain available: (address, length, device-writable) each. Returns its head."""
        head = self.next_descriptor
        for position, (address, length, writable) in enumerate(buffers):
            slot = (head + position) % self.size
            more = position + 1 < len(buffers)
            flags = (2 if writable else 0) | (1 if more else 0)
            entry = struct.pack("<QIHH", address, length, flags, (slot + 1) % self.size if more else 0)
            self.memory.memory[16 * slot : 16 * slot + 16] = entry
        self.next_descriptor = (head + len(buffers)) % self.size
        self.store16(self.avail + 4 + 2 * (self.avail_index % self.size), head)
        self.avail_index = (self.avail_index + 1) & 0xFFFF
        self.store16(self.avail + 2, self.avail_index)
        return head

    def store16(self, offset: int, value: int) -> None:
        self.memory.memory[offset : offset + 2] = value.to_bytes(2, "little")

    def used_index(self) -> int:
        return int.from_bytes(self.memory.memory[self.used + 2 : self.used + 4], "little")

    def used_entries(self) -> list[tuple[int, int]]:
        """(head, length) of what has been used since this was last called."""
        entries = []
        while self.seen != self.used_index():
            at = self.used + 4 + 8 * (self.seen % self.size)
            entries.append(struct.unpack("<II", self.memory.memory[at : at + 8]))
            self.seen = (self.seen + 1) & 0xFFFF
        return entries

    def kick(self) -> None:
        offset = self.raw.r16(0x1E, select=self.index)
        self.raw.bar.write(NOTIFY + 4 * offset, 2, self.index)

    def bytes(self) -> bytes:
        return bytes(self.memory.memory)


class Raw:
    """The device under test and its registers."""

    def __init__(self, locator: str) -> None:
        self.bus: EmulatedBus = open_emulated(parse(locator))
        self.function = self.bus.function
        self.clock = self.bus.clock
        self.bar = self.bus.bar(4)
        self.queues: list[RawQueue] = []
        self.bus.config.write(4, 2, self.bus.config.read(4, 2) | 4)  # bus master

    def status(self) -> int:
        return self.bar.read(STATUS, 1)

    def set_status(self, value: int) -> None:
        self.bar.write(STATUS, 1, value)

    def isr(self) -> int:
        return self.bar.read(ISR, 1)

    def r16(self, register: int, *, select: int | None = None) -> int:
        if select is not None:
            self.bar.write(0x16, 2, select)
        return self.bar.read(register, 2)

    def offered(self) -> int:
        mask = 0
        for half in (0, 1):
            self.bar.write(0x00, 4, half)
            mask |= self.bar.read(0x04, 4) << 32 * half
        return mask

    def accept(self, mask: int) -> None:
        for half in (0, 1):
            self.bar.write(0x08, 4, half)
            self.bar.write(0x0C, 4, mask >> 32 * half & 0xFFFFFFFF)

    def negotiate(self, *bits: int) -> int:
        """Reset to FEATURES_OK with these bits and VERSION_1; returns the status that reads back."""
        self.set_status(0)
        assert self.status() == 0
        self.set_status(1)
        self.set_status(3)
        self.accept(1 << 32 | sum(1 << bit for bit in bits))
        self.set_status(0x0B)
        return self.status()

    def enable(self, index: int = 0, size: int = 16) -> RawQueue:
        queue = RawQueue(self, index, size)
        self.r16(0x18, select=index)
        self.bar.write(0x18, 2, size)
        for register, address in zip((0x20, 0x28, 0x30), queue.addresses(), strict=True):
            self.bar.write(register, 4, address & 0xFFFFFFFF)
            self.bar.write(register + 4, 4, address >> 32)
        self.bar.write(0x1C, 2, 1)
        self.queues.append(queue)
        return queue

    def bring_up(self, *bits: int, queues: int = 1, size: int = 16) -> RawQueue:
        """All the way to DRIVER_OK; returns queue 0."""
        assert self.negotiate(*bits) == 0x0B
        self.queues = []
        for index in range(queues):
            self.enable(index, size)
        self.set_status(0x0F)
        assert self.status() == 0x0F
        return self.queues[0]

    def buffer(self, data: bytes | int) -> tuple[int, memoryview]:
        """DMA memory holding these bytes, or that many zeros: (bus address, memory)."""
        content = bytes(data) if isinstance(data, int) else data
        dma = self.bus.dma.allocate(max(1, len(content)), 16)
        dma.memory[: len(content)] = content
        return dma.address, dma.memory

    def until(self, condition: Callable[[], bool], seconds: float = 2.0) -> bool:
        """Let simulated time pass until the condition holds."""
        deadline = self.clock.now() + seconds
        while not condition():
            if self.clock.now() >= deadline:
                return False
            self.clock.sleep(5e-4)
        return True

    def ask(self, queue: RawQueue, size: int = 64) -> tuple[int, memoryview]:
        """Publish one writable buffer: (head, memory)."""
        address, memory = self.buffer(size)
        return queue.publish((address, size, True)), memory

    def faults(self) -> list[str]:
        return [entry.detail for entry in self.bus.log.faults()]
