"""Whether the device notifies the buffers that it uses: in ISR, and as an interrupt that arrives.

While that is waited for nothing is taken from the rings: a driver that takes moves its used event along, and a device
which has just used a buffer then owes nothing for it (virtio 1.4, 2.7.10, 2.8.10).
"""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.access.wait import poll
from uvirtio.device import Device
from uvirtio.spec.registers import IsrBit

__all__ = ["NOTIFICATION_TIME", "SETTLE", "isr_count", "shows_in_isr", "shows_on_the_line"]

#: How long a notification may take after the buffer was seen used (s).
NOTIFICATION_TIME = 0.1
#: What a device and its interrupt path get to settle after "done", before the quiet period begins (s).
SETTLE = 0.005
_ARRIVED = 1
_OUTCOMES = (0, _ARRIVED, 2)


def isr_count(device: Device) -> int:
    """Reads of ISR so far that showed the queue bit, be it with the other one."""
    return device.isr.queue + device.isr.both


def shows_in_isr(device: Device, since: int, timeout: float) -> bool:
    """Wait for what is outstanding until ISR has shown the queue bit after :func:`isr_count` was ``since``.

    Ends :data:`NOTIFICATION_TIME` after something was used, or after ``timeout`` seconds. Raises :class:`DeviceGone` and
    :class:`DeviceNeedsReset` as soon as they show.
    """

    def sleep(seconds: float) -> None:
        before = device.isr.all_ones
        if device.isr.wait(seconds) & IsrBit.CONFIG or device.isr.all_ones != before:
            device.check_alive("waiting for a used buffer notification")

    return _wait(device, lambda: isr_count(device) > since, sleep, timeout)


def shows_on_the_line(device: Device, ask: Callable[[], object], timeout: float) -> bool:
    """Whether an interrupt arrives after ``ask``, with nobody reading ISR meanwhile: that would take it back."""
    line = device.line
    device.isr.collect()
    before = line.count()
    ask()

    def sleep(seconds: float) -> None:
        # A late one of earlier requests may have come and masked the line meanwhile.
        line.enable()
        line.wait(seconds)

    return _wait(device, lambda: line.count() != before, sleep, timeout)


def _wait(device: Device, arrived: Callable[[], bool], sleep: Callable[[float], None], timeout: float) -> bool:
    waiter = _Waiter(device, arrived, sleep)
    return poll(waiter, 0, _OUTCOMES, waiter, timeout, ceiling=0.05, spin=1).outcome == _ARRIVED


class _Waiter:
    """What is polled, and the clock that sleeps on the interrupt: 1 arrived, 2 something was used and that is long ago."""

    def __init__(self, device: Device, arrived: Callable[[], bool], sleep: Callable[[float], None]) -> None:
        self._queues = device.queues
        self._arrived = arrived
        self._used_at: float | None = None
        self.sleep = sleep
        self.simulated = device.clock.simulated
        self.now = device.clock.now

    def _used(self) -> bool:
        states = [queue.state() for queue in self._queues.values()]
        return any(state.device_index != state.seen for state in states)

    def __getitem__(self, _index: int) -> int:
        if self._arrived():
            return _ARRIVED
        if self._used_at is None and self._used():
            self._used_at = self.now()
        return 2 if self._used_at is not None and self.now() - self._used_at > NOTIFICATION_TIME else 0
