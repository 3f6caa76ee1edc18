"""Memory between two CPUs of which the driver's keeps nothing in order that it need not: what arm64 may do, and more.

A store of the driver's becomes visible at some later moment, in any order among others to other places. A load of the driver's gives
what the place held at some moment since its last fence, but never goes back behind what it has seen or stored there. A
fence ends both. The device's accesses are in order: its own fences are its own matter.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from .model import Memory

_WIDTHS = {"B": 1, "H": 2, "I": 4, "Q": 8}


class WeakMemory(Memory):
    """See the module. ``between`` runs at any access of the driver's: the device, on its own CPU."""

    def __init__(self, seed: int, *, weak_device: bool = False) -> None:
        super().__init__(1 << 16)
        self.weak_device = weak_device
        self.random = random.Random(seed)
        self.between: Callable[[], None] = lambda: None
        self._stores: list[tuple[memoryview, int, bytes]] = []
        #: What became visible since the last fence: (where, offset, before).
        self._log: list[tuple[memoryview, int, bytes]] = []
        self._seen: dict[tuple[int, int], int] = {}
        self._inside = False

    def grow(self, size: int) -> tuple[Any, int]:
        memory, base = super().grow(size)
        view = StrongView if self.weak_device else WeakView
        return view(self, memory, 0, len(memory), "B"), base

    # -- the device's accesses ---------------------------------------------------------------------------------

    def store(self, address: int, width: int, value: int) -> None:
        place = self.at(address, width)
        self._log.append((place.obj, self._offset(place, address), bytes(place)))  # type: ignore[arg-type]
        place[:] = value.to_bytes(width, "little")

    def strong_store(self, memory: memoryview, offset: int, data: bytes) -> None:
        """A store of the other CPU's, which is in order."""
        self._log.append((memory.obj, offset, bytes(memory[offset : offset + len(data)])))  # type: ignore[arg-type]
        memory[offset : offset + len(data)] = data

    def place(self, address: int) -> tuple[memoryview, int]:
        """The chunk of an address, and where it lies in it."""
        return next((memory, address - base) for base, memory in self._windows if base <= address < base + len(memory))

    def _offset(self, place: memoryview, address: int) -> int:
        return next(address - base for base, memory in self._windows if memory.obj is place.obj)

    # -- the driver's ------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Time goes by on the other CPU, and for what is on its way to memory."""
        if self._inside:
            return
        self._inside = True
        try:
            while (chance := self.random.random()) < 0.5:
                if chance < 0.25:
                    self._arrive()
                else:
                    self.between()
        finally:
            self._inside = False

    def _arrive(self, oldest: bool = False) -> None:
        """One store becomes visible: any that no older one to the same place precedes."""
        if not self._stores:
            return
        number = 0 if oldest else self.random.randrange(len(self._stores))
        memory, offset, data = self._stores[number]
        for older, (other, at, there) in enumerate(self._stores[:number]):
            if other.obj is memory.obj and at < offset + len(data) and offset < at + len(there):
                number = older
                memory, offset, data = self._stores[number]
                break
        del self._stores[number]
        self._log.append((memory.obj, offset, bytes(memory[offset : offset + len(data)])))  # type: ignore[arg-type]
        memory[offset : offset + len(data)] = data
        for at in range(offset, offset + len(data)):
            self._seen[id(memory.obj), at] = len(self._log)

    def settle(self) -> None:
        """All stores have arrived: they do, some time."""
        while self._stores:
            self._arrive(oldest=True)

    def fence(self) -> None:
        """Waits for the stores, which arrive in any order, and the other CPU goes on meanwhile."""
        while self._stores:
            self._arrive()
            self.tick()
        self._log.clear()
        self._seen.clear()
        self.tick()

    def weak_store(self, memory: memoryview, offset: int, data: bytes) -> None:
        self.tick()
        self._stores.append((memory, offset, data))

    def weak_load(self, memory: memoryview, offset: int, length: int) -> bytes:
        self.tick()
        places = [(id(memory.obj), at) for at in range(offset, offset + length)]
        first = max((self._seen.get(place, 0) for place in places), default=0)
        moment = self.random.randint(first, len(self._log))
        found = bytearray(memory[offset : offset + length])
        for other, at, before in reversed(self._log[moment:]):
            if other is memory.obj:
                self._lay(found, offset, at, before)
        for other, at, data in self._stores:
            if other.obj is memory.obj:
                self._lay(found, offset, at, data)
        for place in places:
            self._seen[place] = moment
        return bytes(found)

    @staticmethod
    def _lay(found: bytearray, offset: int, at: int, data: bytes) -> None:
        for position, byte in enumerate(data, at):
            if offset <= position < offset + len(found):
                found[position - offset] = byte


class WeakView:
    """As much of a memoryview as queues use. An element is one access; a slice of elements is one for each, in any order."""

    def __init__(self, machine: WeakMemory, memory: memoryview, start: int, length: int, format_: str) -> None:
        self._machine, self._memory, self._start, self._length = machine, memory, start, length
        self.format, self.itemsize = format_, _WIDTHS[format_]

    def __len__(self) -> int:
        return self._length // self.itemsize

    def cast(self, format_: str) -> WeakView:
        return type(self)(self._machine, self._memory, self._start, self._length, format_)

    def _load(self, index: int) -> int:
        assert -len(self) <= index < len(self)
        at = self._start + index % len(self) * self.itemsize
        return int.from_bytes(self._machine.weak_load(self._memory, at, self.itemsize), "little")

    def _store(self, index: int, value: int) -> None:
        assert -len(self) <= index < len(self)
        at = self._start + index % len(self) * self.itemsize
        self._machine.weak_store(self._memory, at, value.to_bytes(self.itemsize, "little"))

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return self._load(index)
        start, stop, step = index.indices(len(self))
        if self.format != "Q":  # a window; of the elements of a ring copies are taken
            assert step == 1
            size = self.itemsize
            return type(self)(
                self._machine, self._memory, self._start + start * size, max(0, stop - start) * size, self.format
            )
        return self._copy(range(start, stop, step))

    def _copy(self, places: range) -> memoryview:
        values = dict.fromkeys(places, 0)
        for place in self._machine.random.sample(places, len(places)):
            values[place] = self._load(place)
        data = b"".join(value.to_bytes(self.itemsize, "little") for value in values.values())
        return memoryview(data).cast(self.format)  # type: ignore[call-overload]

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            self._store(index, value)
            return
        places = range(*index.indices(len(self)))
        values = dict(zip(places, list(value), strict=True))
        if not any(values.values()) and self.format == "B" and len(values) > 64:
            # Memory that is cleared before anybody knows of it.
            self._memory[self._start + places.start : self._start + places.stop] = bytes(len(values))
            return
        for place in self._machine.random.sample(places, len(places)):
            self._store(place, values[place])

    def tobytes(self) -> bytes:
        return self._copy(range(len(self))).tobytes()

    __bytes__ = tobytes


class StrongView(WeakView):
    """The driver's view where the device is the one that keeps nothing in order: what the device may see late is written down."""

    def _load(self, index: int) -> int:
        at = self._start + index % len(self) * self.itemsize
        return int.from_bytes(self._memory[at : at + self.itemsize], "little")

    def _store(self, index: int, value: int) -> None:
        at = self._start + index % len(self) * self.itemsize
        self._machine.strong_store(self._memory, at, value.to_bytes(self.itemsize, "little"))


class WeakGuest:
    """Guest memory as the emulated device reaches it, from a CPU that keeps nothing in order. Bytes are copied in any order."""

    def __init__(self, memory: WeakMemory) -> None:
        self._memory = memory

    def _pieces(self, size: int) -> list[int]:
        whole = list(range(0, size - size % 2, 2))
        return self._memory.random.sample(whole, len(whole))

    def load16(self, address: int) -> int:
        memory, offset = self._memory.place(address)
        return int.from_bytes(self._memory.weak_load(memory, offset, 2), "little")

    def store16(self, address: int, value: int) -> None:
        memory, offset = self._memory.place(address)
        self._memory.weak_store(memory, offset, value.to_bytes(2, "little"))

    def read(self, address: int, size: int) -> bytes:
        found = bytearray(size)
        for at in self._pieces(size):
            found[at : at + 2] = self.load16(address + at).to_bytes(2, "little")
        return bytes(found)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        for at in self._pieces(len(data)):
            self.store16(address + at, int.from_bytes(bytes(data[at : at + 2]), "little"))
