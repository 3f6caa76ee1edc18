"""Whether the device notifies the buffers that it uses: in ISR, and as an interrupt that arrives.

While that is waited for nothing is taken from the rings: a driver that takes moves its used event along, and a device
which has just used a buffer then owes nothing for it (virtio 1.4, 2.7.10, 2.8.10).
"""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.access.wait import poll
from uvirtio.device import Device
from uvirtio.queue import QueueState
from uvirtio.spec.registers import IsrBit

__all__ = ["NOTIFICATION_TIME", "SETTLE", "isr_count", "of_queues", "shows_in_isr", "shows_on_the_line"]

#: How long a notification may take after the buffer was seen used (s).
NOTIFICATION_TIME = 0.1
#: What a device and its interrupt path get to settle after "done", before the quiet period begins (s).
SETTLE = 0.005
_ARRIVED = 1
_OUTCOMES = (0, _ARRIVED, 2)


def of_queues(device: Device) -> int:
    """Looks that showed a notification of a queue. A vector that it shares with the configuration counts where it has to."""
    told, messages = device.notifications, device.messages
    return told.used if messages is not None and messages.size > 1 else told.used_or_both


def isr_count(device: Device) -> int:
    """Looks at ISR so far that showed the queue bit, be it with the other one."""
    return device.notifications.used_or_both


def shows_in_isr(device: Device, since: int, timeout: float) -> bool:
    """Wait for what is outstanding until ISR has shown the queue bit after :func:`isr_count` was ``since``.

    Ends :data:`NOTIFICATION_TIME` after something was used, or after ``timeout`` seconds. Raises :class:`DeviceGone` and
    :class:`DeviceNeedsReset` as soon as they show.
    """

    def sleep(seconds: float) -> None:
        before = device.notifications.all_ones
        if device.notifications.wait(seconds) & IsrBit.CONFIG or device.notifications.all_ones != before:
            device.status.check_alive("waiting for a used buffer notification")

    return _wait(device, lambda: isr_count(device) > since, sleep, timeout)


def shows_on_the_line(device: Device, ask: Callable[[], object], timeout: float) -> bool:
    """Whether an interrupt arrives after ``ask``, with nobody reading ISR meanwhile: that would take it back."""
    line = device.notifications.line
    device.notifications.collect()
    before = line.count()
    ask()

    def sleep(seconds: float) -> None:
        # A late one of earlier requests may have come and masked the line meanwhile.
        line.enable()
        line.wait(seconds)

    return _wait(device, lambda: line.count() != before, sleep, timeout)


def _wait(device: Device, arrived: Callable[[], bool], sleep: Callable[[float], None], timeout: float) -> bool:
    now, used_at = device.clock.now, -1.0

    def look() -> int:
        """1: arrived; 2: something was used, and that is long ago."""
        nonlocal used_at
        if arrived():
            return _ARRIVED
        if used_at < 0 and any(state.device_index != state.seen for state in _states(device)):
            used_at = now()
        return 2 if used_at >= 0 and now() - used_at > NOTIFICATION_TIME else 0

    return poll(look, _OUTCOMES, device.clock, timeout, sleep=sleep, ceiling=0.05, spin=1).outcome == _ARRIVED


def _states(device: Device) -> list[QueueState]:
    return [queue.state() for queue in device.queues.values()]
