"""MSI-X of the function: the vectors' table, their masks and pending bits, and where a message goes (PCI, 6.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from .log import AccessLog
from .memory import DriverFault, GuestMemory

__all__ = ["ENTRY", "MsixTable"]

#: Bytes of a vector's entry: address (8), data (4), vector control (4), whose lowest bit masks it.
ENTRY = 16
_DATA, _CONTROL = 8, 12
_MASKED = 1


class MsixTable:
    """The vectors of one function.

    ``receiver(vector)`` is asked first and says whether it has taken the message: a client that handed eventfds over keeps
    table and masks itself. Any other message is a write of its data to its address, unless it is masked: it is pending then.
    """

    STATE = ("enabled", "function_mask", "pending", "_entries")

    def __init__(self, vectors: int, memory: GuestMemory, log: AccessLog) -> None:
        self.vectors = vectors
        self.receiver: Callable[[int], bool] = lambda vector: False
        self.enabled = False
        self.function_mask = False
        self.pending: set[int] = set()
        self._memory = memory
        self._log = log
        self._entries = bytearray(ENTRY * vectors)
        self._mask_all()

    def _mask_all(self) -> None:
        for vector in range(self.vectors):
            self._entries[ENTRY * vector : ENTRY * (vector + 1)] = bytes(_CONTROL) + _MASKED.to_bytes(4, "little")

    def reset(self) -> None:
        """As after a reset of the function: every vector is masked, nothing is pending."""
        self.pending.clear()
        self._mask_all()

    # Messages

    def send(self, vector: int) -> None:
        """The device requests a vector's message: it is sent, or pending."""
        if not self.enabled or vector >= self.vectors:
            return
        self._log.event("message", f"vector {vector}")
        if self.receiver(vector):
            return
        if self.masked(vector):
            self.pending.add(vector)
        else:
            self.deliver(vector)

    def masked(self, vector: int) -> bool:
        """Whether a message has to wait."""
        return self.function_mask or bool(self._entries[ENTRY * vector + _CONTROL] & _MASKED)

    def deliver(self, vector: int) -> None:
        """Write the data of a vector to its address."""
        entry = self._entries[ENTRY * vector : ENTRY * (vector + 1)]
        address = int.from_bytes(entry[:_DATA], "little")
        try:
            self._memory.write(address, entry[_DATA:_CONTROL])
        except DriverFault as error:
            self._log.fault("msix", f"vector {vector}", str(error), 0, 4)

    def forget(self, vector: int) -> None:
        """Nothing is mapped to a vector any more, so nothing is pending for it."""
        self.pending.discard(vector)

    def control(self, enabled: bool, function_mask: bool) -> None:
        """Message control was written. What was pending is sent as soon as it may."""
        self.enabled, self.function_mask = enabled, function_mask
        if not enabled:
            self.pending.clear()
        self._catch_up()

    def _catch_up(self) -> None:
        for vector in sorted(self.pending):
            if not self.masked(vector):
                self.pending.discard(vector)
                self.deliver(vector)

    # Registers

    def read(self, offset: int, width: int) -> int:
        """One read of the table."""
        return int.from_bytes(self._entries[offset : offset + width], "little")

    def read_pending(self, offset: int, width: int) -> int:
        """One read of the pending bits, ``offset`` in bytes from their start."""
        bits = sum(1 << vector for vector in self.pending)
        return bits >> 8 * offset & (1 << 8 * width) - 1

    def write(self, offset: int, width: int, value: int) -> None:
        """One write to the table, which has to be of 4 bytes (or 8, which arrive as two)."""
        if width != 4:
            self._log.fault(
                "msix", "", "a write to the table that is not of 4 bytes (PCI, 6.1.4.2)", offset, width, value
            )
        if offset + width <= len(self._entries):
            self._entries[offset : offset + width] = value.to_bytes(width, "little")
            self._catch_up()
