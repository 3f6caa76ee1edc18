"""The device's end of both ring formats, as small as the specification allows, and able to lie.

Nothing here imports the driver's queues: it knows the three addresses of a ring and reaches memory through them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uvirtio.access.dma import Arena

WRITE, NEXT, INDIRECT = 2, 1, 4


class Memory(Arena):
    """Guest memory in chunks with gaps between their bus addresses, which the device reads and writes by address."""

    def __init__(self, chunk: int = 1 << 20) -> None:
        super().__init__()
        self._chunk = chunk
        self._next = 0x1_2340_0000
        self._windows: list[tuple[int, memoryview]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        memory = memoryview(bytearray(max(size, self._chunk)))
        base, self._next = self._next, self._next + len(memory) + 0x10_0000
        self._windows.append((base, memory))
        return memory, base

    def at(self, address: int, size: int) -> memoryview:
        for base, memory in self._windows:
            if base <= address and address + size <= base + len(memory):
                return memory[address - base : address - base + size]
        raise AssertionError(f"the device was given {address:#x}+{size:#x}, which is not memory")

    def load(self, address: int, width: int) -> int:
        return int.from_bytes(self.at(address, width), "little")

    def store(self, address: int, width: int, value: int) -> None:
        self.at(address, width)[:] = value.to_bytes(width, "little")


@dataclass
class Buffer:
    """What the device found: the id to give back, the parts, how many ring descriptors it took."""

    id: int
    readable: list[tuple[int, int]] = field(default_factory=list)
    writable: list[tuple[int, int]] = field(default_factory=list)
    descriptors: int = 1

    def part(self, address: int, length: int, flags: int) -> None:
        if flags & WRITE:
            self.writable.append((address, length))
        else:
            assert not self.writable, "a readable part follows a writable one"
            self.readable.append((address, length))

    @property
    def room(self) -> int:
        return sum(length for _, length in self.writable)


class SplitDevice:
    """The device's end of a split queue. ``avail_idx`` and ``used_idx`` count without wrapping."""

    def __init__(self, memory: Memory, queue: object, *, event_idx: bool = False, in_order: bool = False) -> None:
        self.memory = memory
        self.size: int = queue.size  # type: ignore[attr-defined]
        self.desc: int = queue.descriptor_address  # type: ignore[attr-defined]
        self.avail: int = queue.driver_address  # type: ignore[attr-defined]
        self.used: int = queue.device_address  # type: ignore[attr-defined]
        self.event_idx = event_idx
        self.in_order = in_order
        self.avail_idx = 0
        self.used_idx = 0
        self.told = 0
        self.expected_descriptor = 0

    def published(self) -> int:
        return (self.memory.load(self.avail + 2, 2) - self.avail_idx) & 0xFFFF

    def fetch(self) -> list[Buffer]:
        found = []
        for _ in range(self.published()):
            head = self.memory.load(self.avail + 4 + 2 * (self.avail_idx % self.size), 2)
            self.avail_idx += 1
            found.append(self._walk(head))
        return found

    def _walk(self, head: int) -> Buffer:
        buffer = Buffer(head, descriptors=0)
        index: int | None = head
        while index is not None:
            assert index < self.size
            if self.in_order:
                assert index == self.expected_descriptor, "IN_ORDER: descriptors are used in ring order"
                self.expected_descriptor = (index + 1) % self.size
            buffer.descriptors += 1
            assert buffer.descriptors <= self.size, "a loop in the descriptor chain"
            address, length, flags, following = self._descriptor(self.desc, index)
            if flags & INDIRECT:
                assert not flags & NEXT
                assert length
                assert length % 16 == 0
                self._table(buffer, address, length // 16)
            else:
                buffer.part(address, length, flags)
            index = following if flags & NEXT else None
        return buffer

    def _table(self, buffer: Buffer, table: int, entries: int) -> None:
        index, steps = 0, 0
        while True:
            steps += 1
            assert steps <= entries <= self.size
            address, length, flags, following = self._descriptor(table, index)
            assert not flags & INDIRECT
            buffer.part(address, length, flags)
            if not flags & NEXT:
                assert steps == entries
                return
            assert following == index + 1, "tables are written in sequence"
            index = following

    def _descriptor(self, table: int, index: int) -> tuple[int, int, int, int]:
        at = table + 16 * index
        return tuple(self.memory.load(at + o, w) for o, w in ((0, 8), (8, 4), (12, 2), (14, 2)))  # type: ignore[return-value]

    def entry(self, id_: int, length: int, at: int | None = None) -> None:
        """Write a used element, by default the next one, without showing it."""
        slot = self.used + 4 + 8 * ((self.used_idx if at is None else at) % self.size)
        self.memory.store(slot, 4, id_)
        self.memory.store(slot + 4, 4, length)

    def show(self, entries: int = 1) -> None:
        self.used_idx += entries
        self.memory.store(self.used + 2, 2, self.used_idx & 0xFFFF)

    def use(self, buffer: Buffer, length: int) -> None:
        self.entry(buffer.id, length)
        self.show()

    def use_batch(self, buffers: list[Buffer], length: int) -> None:
        """IN_ORDER: one entry for all of them, its id the last one's (2.7.9)."""
        self.entry(buffers[-1].id, length)
        self.show(len(buffers))

    def wants_notifications(self, wanted: bool, ahead: int = 0) -> None:
        """Ask for them: with EVENT_IDX, when the driver exposes the entry ``ahead`` of what we have fetched."""
        if self.event_idx:
            event = self.avail_idx + ahead if wanted else self.avail_idx - 1
            self.memory.store(self.used + 4 + 8 * self.size, 2, event & 0xFFFF)
        else:
            self.memory.store(self.used, 2, 0 if wanted else 1)

    def interrupt_due(self) -> bool:
        """Whether what was shown since the last time has to interrupt the driver (2.7.7.2)."""
        shown, self.told = range(self.told, self.used_idx), self.used_idx
        if self.event_idx:
            event = self.memory.load(self.avail + 4 + 2 * self.size, 2)
            return any(entry & 0xFFFF == event for entry in shown)
        return bool(shown) and not self.memory.load(self.avail, 2) & 1


AVAIL, USED = 1 << 7, 1 << 15


class PackedDevice:
    """The device's end of a packed queue. Positions are (offset, wrap counter)."""

    def __init__(self, memory: Memory, queue: object, *, event_idx: bool = False, in_order: bool = False) -> None:
        self.memory = memory
        self.size: int = queue.size  # type: ignore[attr-defined]
        self.ring: int = queue.descriptor_address  # type: ignore[attr-defined]
        self.driver: int = queue.driver_address  # type: ignore[attr-defined]
        self.device: int = queue.device_address  # type: ignore[attr-defined]
        self.event_idx = event_idx
        self.in_order = in_order
        self.next_avail = (0, 1)
        self.next_used = (0, 1)
        self._shown: list[tuple[int, int]] = []
        #: Whether used descriptors have VIRTQ_DESC_F_WRITE where something was written, as the specification has it.
        self.sets_write = True

    def _after(self, position: tuple[int, int], steps: int) -> tuple[int, int]:
        offset, wrap = position
        offset += steps
        while offset >= self.size:
            offset, wrap = offset - self.size, wrap ^ 1
        return offset, wrap

    def _read(self, offset: int) -> tuple[int, int, int, int]:
        at = self.ring + 16 * offset
        return tuple(self.memory.load(at + o, w) for o, w in ((0, 8), (8, 4), (12, 2), (14, 2)))  # type: ignore[return-value]

    def _available(self, position: tuple[int, int]) -> bool:
        offset, wrap = position
        flags = self._read(offset)[3]
        return bool(flags & AVAIL) == bool(wrap) and bool(flags & USED) != bool(wrap)

    def published(self) -> int:
        return int(self._available(self.next_avail))

    def fetch(self) -> list[Buffer]:
        found = []
        while self._available(self.next_avail):
            buffer, flags = Buffer(-1, descriptors=0), NEXT
            while flags & NEXT:
                assert self._available(self.next_avail), "a chain was shown before all of it was there"
                address, length, id_, flags = self._read(self.next_avail[0])
                buffer.descriptors += 1
                assert buffer.descriptors <= self.size
                if flags & INDIRECT:
                    assert not flags & NEXT
                    assert length
                    assert length % 16 == 0
                    for entry in range(length // 16):
                        at = address + 16 * entry
                        buffer.part(*(self.memory.load(at + o, w) for o, w in ((0, 8), (8, 4), (14, 2))))
                        assert self.memory.load(at + 14, 2) in (0, WRITE)
                else:
                    buffer.part(address, length, flags)
                buffer.id = id_
                self.next_avail = self._after(self.next_avail, 1)
            found.append(buffer)
        return found

    def entry(self, id_: int, length: int, flags: int | None = None) -> None:
        """Write a used descriptor at the next used position, and stay there."""
        offset, wrap = self.next_used
        at = self.ring + 16 * offset
        if flags is None:
            flags = (AVAIL | USED if wrap else 0) | (WRITE if length and self.sets_write else 0)
        self.memory.store(at + 8, 4, length)
        self.memory.store(at + 12, 2, id_)
        self.memory.store(at + 14, 2, flags)

    def skip(self, descriptors: int) -> None:
        self._shown.append(self.next_used)
        self.next_used = self._after(self.next_used, descriptors)

    def use(self, buffer: Buffer, length: int) -> None:
        self.entry(buffer.id, length)
        self.skip(buffer.descriptors)

    def use_batch(self, buffers: list[Buffer], length: int) -> None:
        """IN_ORDER: one descriptor for all of them, its id the last one's (2.8.8)."""
        self.entry(buffers[-1].id, length)
        self.skip(sum(buffer.descriptors for buffer in buffers))

    def wants_notifications(self, wanted: bool, ahead: int = 0) -> None:
        """Ask for them: with EVENT_IDX, when the descriptor ``ahead`` of what we have fetched is exposed."""
        offset, wrap = self._after(self.next_avail, ahead)
        self.memory.store(self.device, 2, offset | wrap << 15)
        flags = 1 if not wanted else 2 if self.event_idx else 0
        self.memory.store(self.device + 2, 2, flags)

    def interrupt_due(self) -> bool:
        """Whether what was shown since the last time has to interrupt the driver (2.8.10)."""
        shown, self._shown = self._shown, []
        event, flags = self.memory.load(self.driver, 2), self.memory.load(self.driver + 2, 2)
        assert flags in ((0, 1, 2) if self.event_idx else (0, 1))
        if flags == 2:
            return any(offset | wrap << 15 == event for offset, wrap in shown)
        return bool(shown) and flags == 0
