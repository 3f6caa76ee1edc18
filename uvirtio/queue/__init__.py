"""Virtqueues: split and packed behind one protocol, and pools of buffers for batches.

A queue knows rings and nothing about registers: the transport hands in ``notifier``. Nothing that a device writes is
trusted, and nothing that is needed to free a buffer is read back from the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..access.dma import Dma

if TYPE_CHECKING:
    from .pool import Pool

__all__ = ["Queue", "QueueState"]


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue at one moment, for display and evidence. Reading it touches RAM only, never the device.

    ``driver_index`` and ``device_index`` are the available and used index of a split ring (0 to 65535). A packed ring
    has no index in memory; there they are the next positions, bit 15 being the wrap counter, as its event structures
    hold them (virtio 1.4, 2.8.14). ``seen`` is how far the driver has reaped, in the same form. ``in_flight`` counts
    published buffers that were not reaped, ``added`` those that still wait for a publish.
    """

    index: int
    format: str
    size: int
    driver_index: int
    device_index: int
    seen: int
    in_flight: int
    added: int
    free: int
    #: The driver asks for no used-buffer notifications.
    interrupts_suppressed: bool
    #: The device asks for no available-buffer notifications.
    notifications_suppressed: bool
    #: Fields of both event suppression areas by the names that the specification gives them.
    flags: dict[str, int]
    #: Why the queue is held (suspended); empty when it is not.
    held: str = ""


class Queue(Protocol):
    """One virtqueue, driver side.

    A buffer is a sequence of device-readable parts followed by device-writable parts; :meth:`add` gives it a token,
    which is this buffer's until :meth:`completed` returns it.
    """

    index: int
    #: Descriptors in the ring.
    size: int
    #: Bus addresses of the three areas, as the transport writes them.
    descriptor_address: int
    driver_address: int
    device_address: int
    #: Sends the available-buffer notification. Its argument is what NOTIFICATION_DATA carries in the upper half (4.1.5.2):
    #: the available index of a split ring, next position | wrap << 15 of a packed one.
    notifier: Callable[[int], None]
    #: Duties (``"D3"``, ``"D4"``) that a deliberate deviation lifts while the queue is held.
    allow: set[str]

    def add(self, readable: Sequence[Dma], writable: Sequence[Dma]) -> int:
        """Describe a buffer; the device does not see it before :meth:`publish`. Returns its token.

        Raises :class:`~uvirtio.errors.QueueFull`, :class:`~uvirtio.errors.SuspendedError` (D3),
        :class:`~uvirtio.errors.DriverMisuse` for an empty buffer or one that the ring cannot describe.
        """

    def publish(self, notify: bool = True) -> bool:
        """Make everything added available at once, then decide once whether the device wants to be notified.

        ``notify=False`` leaves the notification out whatever the device wants; the next decision counts it in.
        Returns whether a notification was sent. Raises :class:`~uvirtio.errors.SuspendedError` (D3, D4).
        """

    def completed(self) -> list[tuple[int, int]]:
        """Buffers that the device has used since the last call: (token, bytes written), in the device's order.

        Raises :class:`~uvirtio.errors.DeviceMisbehaved` for an index, id, length or descriptor that is impossible; buffers
        that were used properly before that point are returned first, and the error comes with the next call.
        """

    def kick(self) -> None:
        """Notify whatever the device wants. Raises :class:`~uvirtio.errors.SuspendedError` (D4)."""

    @property
    def ready(self) -> bool:
        """Whether used buffers wait to be reaped; one load."""

    @property
    def outstanding(self) -> int:
        """Buffers that are published and not yet reaped."""

    @property
    def free(self) -> int:
        """Descriptors that are free."""

    def tokens(self) -> list[int]:
        """Tokens of the buffers in flight, oldest publish first."""

    def hold(self, reason: str) -> None:
        """Refuse :meth:`add`, :meth:`publish` and :meth:`kick` from now on: the device is (being) suspended."""

    def unhold(self) -> None:
        """Allow them again."""

    def interrupts(self, enabled: bool) -> bool:
        """Ask the device for used-buffer notifications, or ask it for none.

        Returns whether used buffers already wait, for which no notification may come: reap before sleeping.
        """

    def pool(self, count: int, readable: Sequence[int] = (), writable: Sequence[int] = ()) -> Pool:
        """``count`` equal buffers with parts of these sizes (bytes), which take the whole queue until they are closed.

        Their descriptors are written once; batches of them are published and reaped at the cost of a few slice copies.
        Raises :class:`~uvirtio.errors.DriverMisuse` where they do not fit the queue, or while it is in use.
        """

    def cut_lengths(self) -> None:
        """Cut used lengths that are too long, from now on, instead of refusing them: where devices are known to give wrong ones."""

    def state(self) -> QueueState:
        """Where both sides are. Reads RAM only."""

    def ring_bytes(self) -> bytes:
        """All ring memory, for comparing it before and after."""

    def reset(self) -> list[int]:
        """Start over with empty ring memory. Only when the device (or this queue of it: RING_RESET, 2.6.1) was reset.

        Returns the tokens that were in flight: their buffers are the driver's again, and were not used.
        """

    def close(self) -> None:
        """Give the ring memory back. Only when the device cannot reach it any more."""
