"""Which event of a device has which vector of MSI-X, and what a vector's message stands for (4.1.5.1.2)."""

from __future__ import annotations

from .bus import Function
from .errors import CannotRun
from .spec.registers import NO_VECTOR, IsrBit
from .transport.common_registers import CommonRegisters

__all__ = ["MappedVectors"]

#: The configuration among the events that have a vector; the others are queues by their index.
_CONFIG = -1


class MappedVectors:
    """The mapping of one device. ``size``: how many vectors are used.

    The configuration gets vector 0, each queue one of its own as far as there are such, and the last is shared.
    """

    def __init__(self, function: Function, registers: CommonRegisters, size: int) -> None:
        self._function = function
        self._registers = registers
        self.size = size
        #: Vectors for the configuration and for every queue, in place of those that they get by themselves.
        self.plan: tuple[int, int] | None = None
        #: What is mapped, by vector: the bits that its message stands for.
        self.bits: dict[int, int] = {}
        #: What is mapped, by event: vector and bit.
        self._events: dict[int, tuple[int, int]] = {}
        self._moved: dict[int, int] = {}

    def of_config(self) -> int:
        """The vector that the configuration gets."""
        return self._moved.get(_CONFIG, 0 if self.plan is None else self.plan[0])

    def of_queue(self, index: int) -> int:
        """The vector that a queue gets."""
        return self._moved.get(index, min(1 + index, self.size - 1) if self.plan is None else self.plan[1])

    def map_config(self) -> None:
        """Map the configuration, on a device that has just forgotten all mappings."""
        self._events.clear()
        self._moved.clear()
        self._map(_CONFIG, self.of_config(), IsrBit.CONFIG)

    def map_queue(self, index: int) -> None:
        """Map a queue. Raises :class:`CannotRun` where the device does not take the vector, which it may."""
        self._registers.put("queue_select", index)
        self._map(index, self.of_queue(index), IsrBit.QUEUE)

    def move_config(self, vector: int) -> None:
        """Map the configuration to another vector, until the next reset: on a running device as well (4.1.5.1.2).

        Raises :class:`CannotRun` where the device does not take the vector, which it may.
        """
        self._map(_CONFIG, vector, IsrBit.CONFIG)
        self._moved[_CONFIG] = vector

    def move_queue(self, index: int, vector: int) -> None:
        """Have a queue get another vector when it is enabled again after its own reset (2.6.1.2), until that of the device."""
        self._moved[index] = vector

    def _map(self, event: int, vector: int, bit: int) -> None:
        name = "config_msix_vector" if event == _CONFIG else "queue_msix_vector"
        self._registers.put(name, vector)
        taken = self._registers.get(name)
        if taken != vector:
            raise CannotRun(f"{self._function.locator}: {name} reads {taken:#x} after vector {vector:#x} was written")
        self._events[event] = vector, bit
        self.bits.clear()
        for mapped, meant in self._events.values():
            if mapped != NO_VECTOR:
                self.bits[mapped] = self.bits.get(mapped, 0) | meant
