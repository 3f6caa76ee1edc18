"""Waiting for what a running device does: on its interrupt, or by looking at its rings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .access.clock import Clock
from .access.notifications import Notifications
from .access.wait import YES, Polled, poll
from .bus import Function
from .errors import DeviceTimeout
from .queue import Queue
from .queue.policy import BUDGET, CompletionWait
from .spec.registers import IsrBit
from .spec.status import describe
from .status import StatusByte

__all__ = ["RunningDevice", "wait_for"]

#: Longest sleep between two looks, in seconds, should an interrupt get lost.
_CEILING = 0.05


class RunningDevice(Protocol):
    """What a wait needs of the device that it is for."""

    function: Function
    clock: Clock
    status: StatusByte
    notifications: Notifications


def wait_for(
    device: RunningDevice, predicate: Callable[[], bool], timeout: float, *, doing: str, queues: Sequence[Queue] = ()
) -> Polled:
    """Wait until ``predicate()``, sleeping on the interrupt. Notifications are collected on the way.

    With ``queues`` it can only become true by what the device uses there: then the rings are looked at before anything
    sleeps, without asking for notifications, as :class:`~uvirtio.queue.policy.CompletionWait` does. A wait of that kind
    shows nothing about notifications, so it is not for traffic that judges the device.

    Raises :class:`DeviceTimeout`, or :class:`DeviceGone` and :class:`DeviceNeedsReset` as soon as they show.
    """
    notifications = device.notifications
    all_ones = notifications.all_ones

    def noticed(bits: int) -> None:
        """ISR showed this: where it tells of more than used buffers, see what has become of the device."""
        nonlocal all_ones
        if bits & IsrBit.CONFIG or notifications.all_ones != all_ones:
            all_ones = notifications.all_ones
            device.status.check_alive(doing)

    # Simulated time does not pass while one looks, so that looking again would show nothing new.
    if queues and not device.clock.simulated:
        polled = _work_through(device, queues, predicate, timeout, noticed)
    else:
        polled = poll(
            predicate, YES, device.clock, timeout,
            sleep=lambda seconds: noticed(notifications.wait(seconds)), ceiling=_CEILING, spin=1,
        )  # fmt: skip
    if polled.outcome:
        return polled
    device.status.check_alive(doing)
    raise DeviceTimeout(
        f"{device.function.locator}: {doing}: not within {timeout:g} s; status {describe(device.status.read())}",
        seconds=polled.seconds,
        reads=polled.reads,
    )


def _work_through(
    device: RunningDevice,
    queues: Sequence[Queue],
    predicate: Callable[[], bool],
    timeout: float,
    noticed: Callable[[int], None],
) -> Polled:
    """Ask the predicate again whenever there are used buffers, and one last time after the deadline."""
    now = device.clock.now
    started = last = now()
    asked = 0
    wait: CompletionWait | None = None
    try:
        while True:
            before, asked = now(), asked + 1
            outcome = int(predicate())
            if outcome or before >= started + timeout:
                return Polled(outcome, outcome, asked, started, last, now())
            last = before
            if any(queue.ready for queue in queues):
                continue
            if wait is None:
                wait = CompletionWait(queues, device.notifications, device.clock, BUDGET, noticed=noticed)
            wait.wait(started + timeout - before)
    finally:
        if wait is not None:
            wait.close()
