"""Registers behind small verbs. Nothing above a transport touches a register; a transport keeps no device state."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ..access.view import View
from ..errors import DriverMisuse
from ..spec.features import Features

__all__ = ["Notifier", "OneOwner", "Transport"]

#: Notifies one queue; the argument is the queue's 16-bit "next" value, used with NOTIFICATION_DATA only (4.1.5.2).
Notifier = Callable[[int], None]


class OneOwner:
    """A view of registers whose reading changes them: handed out once."""

    __slots__ = ("_view",)

    def __init__(self, view: View) -> None:
        self._view: View | None = view

    def take(self) -> View:
        """The view. Raises :class:`DriverMisuse` when somebody has it already."""
        view, self._view = self._view, None
        if view is None:
            raise DriverMisuse(
                "ISR is read by one owner alone, since reading clears it: ask the device's notifications"
            )
        return view


class Transport(Protocol):
    """The verbs of virtio over one function."""

    #: ``modern`` or ``legacy``.
    kind: str
    #: The status byte for the bounded wait: ``status_view[status_index]``.
    status_view: View
    status_index: int
    #: Bytes of device-specific configuration, and why there are none where there are none.
    config_length: int
    config_missing: str
    #: Features whose registers lie beyond the end of their structure: they cannot be used, whatever is offered.
    beyond: Features

    def take_isr(self) -> View:
        """ISR status: one 8-bit element. Reading clears it, so it is given to one owner alone: :class:`DriverMisuse` later."""

    def status(self) -> int:
        """Read ``device_status`` once."""

    def set_status(self, value: int) -> None:
        """Write ``device_status`` once."""

    def device_features(self) -> Features:
        """What the device offers, bits 0 to 127."""

    def driver_features(self) -> Features:
        """What the device holds as accepted by the driver. Evidence, not truth: some devices store any bit."""

    def set_driver_features(self, features: Features) -> None:
        """Write what the driver accepts."""

    def set_up(self, indices: Iterable[int]) -> dict[str, int]:
        """What the device holds of that which a driver writes to set it up, and the queues of these indices, by name.

        Evidence, not truth: some devices cannot be read back.
        """

    def generation(self) -> int:
        """``config_generation``; 0 for ever where there is none (legacy)."""

    def queue_count(self) -> int:
        """Number of virtqueues."""

    def queue_maximum(self, index: int) -> int:
        """Largest size of a queue in descriptors, 0 where it is not available; as it reads, whether that is possible or not."""

    def queue_enabled(self, index: int) -> bool:
        """Whether the device has the queue enabled."""

    def enable_queue(self, index: int, size: int, descriptors: int, driver: int, device: int) -> None:
        """Configure a queue (sizes in descriptors, bus addresses of its three areas) and enable it."""

    def reset_queue(self, index: int) -> None:
        """Write 1 to queue_reset (RING_RESET). Wait with :meth:`queue_in_reset`."""

    def queue_in_reset(self, index: int) -> bool:
        """Whether queue_reset still reads 1."""

    def notifier(self, index: int, accepted: Features) -> Notifier:
        """How to notify this queue, with its offset read and checked now."""

    def read_config(self, offset: int, width: int) -> int:
        """One read of device-specific configuration, ``width`` 1, 2 or 4 bytes."""

    def write_config(self, offset: int, width: int, value: int) -> None:
        """One write of device-specific configuration."""
