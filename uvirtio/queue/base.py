"""What split and packed queues have in common: who notifies, who listens, and the guard while suspended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..access.dma import Dma
from ..access.fence import store_load_fence
from ..access.trace import Recorder
from ..errors import DeviceMisbehaved, DriverMisuse, QueueFull, SuspendedError

__all__ = ["CHAIN_LIMIT", "QueueBase", "check_parts"]

#: A chain may describe at most 2^32 bytes (virtio 1.4, 2.7.5.2).
CHAIN_LIMIT = 1 << 32

_DUTIES = {
    "D3": "no buffers may be made available",
    "D4": "the device may not be notified",
}


def check_parts(readable: Sequence[Dma], writable: Sequence[Dma], longest: int, where: str) -> None:
    """Explain what is wrong with a buffer that no ring of ``longest`` descriptors may describe, by raising."""
    parts = [*readable, *writable]
    if not parts:
        raise DriverMisuse(f"{where}: a buffer has at least one part (virtio 1.4, 2.7.13.1)")
    if len(parts) > longest:
        raise DriverMisuse(
            f"{where}: a buffer of {len(parts)} parts is longer than the queue size {longest} (virtio 1.4, 2.7.5.3.1)"
        )
    if any(not part.size for part in parts):
        raise DriverMisuse(f"{where}: a part of a buffer is empty; leave it out")
    if (total := sum(part.size for part in parts)) > CHAIN_LIMIT:
        raise DriverMisuse(f"{where}: a buffer of {total:#x} bytes is longer than 2^32 (virtio 1.4, 2.7.5.2)")


class QueueBase:
    """Index, size, notifier, recorder, and the guard that keeps D3 and D4 while the queue is held."""

    # Slots: an object with more than thirty attributes loses the interpreter's fast attribute access otherwise.
    __slots__ = ("_fence", "_held", "allow", "index", "notifier", "outstanding", "recorder", "size")

    def __init__(self, index: int, size: int, fence: Callable[[], object] | None) -> None:
        self.index = index
        self.size = size
        self.notifier: Callable[[int], None] = self._no_notifier
        self.recorder: Recorder | None = None
        self.allow: set[str] = set()
        #: Buffers that are published and not yet reaped.
        self.outstanding = 0
        self._held = ""
        self._fence = fence if fence is not None else store_load_fence()

    def hold(self, reason: str) -> None:
        """Refuse :meth:`add`, :meth:`publish` and :meth:`kick` from now on, giving this reason."""
        self._held = reason or "the device is suspended"

    def unhold(self) -> None:
        """Allow them again."""
        self._held = ""

    @property
    def free(self) -> int:
        """Descriptors that are free."""
        raise NotImplementedError

    @property
    def added(self) -> int:
        """Buffers that were added and wait for a publish."""
        raise NotImplementedError

    def _guard(self, *duties: str) -> None:
        """While held, raise for the first of these duties that no deviation lifts."""
        for duty in duties:
            if duty not in self.allow:
                raise SuspendedError(f"{self._name}: {self._held}: {_DUTIES[duty]} until it is resumed ({duty})")

    @property
    def _name(self) -> str:
        return f"queue {self.index}"

    def _no_notifier(self, _following: int) -> None:
        raise DriverMisuse(f"{self._name} has no notifier yet: set it from the transport before publishing")

    def _full(self, needed: int, free: int) -> QueueFull:
        return QueueFull(
            f"{self._name}: {needed} descriptors are needed and {free} of {self.size} are free; reap first"
        )

    def _not_in_flight(self, token: int, where: str, in_flight: int) -> DeviceMisbehaved:
        if token >= self.size:
            return DeviceMisbehaved(
                f"{self._name}: {where} says id {token:#x}; ids of this queue are below its size {self.size}"
            )
        return DeviceMisbehaved(
            f"{self._name}: {where} says id {token}, which is not in flight "
            f"({in_flight} other buffers are): it was never published, or was used before"
        )

    def _too_long(self, token: int, length: int, writable: int) -> DeviceMisbehaved:
        return DeviceMisbehaved(
            f"{self._name}: the device says that it wrote {length} bytes into buffer {token}, "
            f"which has {writable} writable bytes"
        )

    def _overwritten(self, descriptor: int, token: int) -> DeviceMisbehaved:
        return DeviceMisbehaved(
            f"{self._name}: descriptor {descriptor} of buffer {token} is not what the driver wrote; "
            "a device must not write to the descriptor table (virtio 1.4, 2.7.5.1)"
        )
