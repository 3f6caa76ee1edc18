"""What the parts of a device see of the device around them.

A device is made of queues, a model of its type and a behaviour, and each of them reaches the others through it. What it
needs of the device for that, each says by a protocol of its own, beside it, on top of what all of them need.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from ..access.clock import Event
from .log import AccessLog

__all__ = ["DeviceAround", "DeviceClock"]


class DeviceClock(Protocol):
    """The part of a clock that a device needs."""

    def now(self) -> float:
        """Seconds, monotonic."""

    def call_at(self, when: float, call: Callable[[], None]) -> Event:
        """Call later, never from within."""

    def turn_over(self) -> bool:
        """Whether others wait for whoever works now: the rest is done later. Simulated time waits for nobody."""


class DeviceAround(Protocol):
    """What every part of a device needs of it."""

    clock: DeviceClock
    log: AccessLog

    def negotiated(self, bit: int) -> bool:
        """Whether a feature was accepted by the driver."""

    def guarded(self) -> AbstractContextManager[None]:
        """A driver's nonsense found inside puts the device into its error state (2.1.2)."""
