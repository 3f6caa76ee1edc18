"""Traffic on the device that is judged: what it owes, whether it comes back, and how it is notified."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from uvirtio.errors import DeviceError, DeviceGone, DriverMisuse
from uvirtio.spec.devices import queue_name
from uvirtio.spec.features import Features
from uvirtio_drivers.workload import Workload

from ..driving.notified import SETTLE, isr_count, shows_in_isr, shows_on_the_line
from ..judging.outcomes import Control
from ..judging.verdict import Skip
from .stage import Stage

__all__ = ["TrafficStage"]

#: Requests whose notification may stay away before it is called lost.
REQUESTS = 3


class TrafficStage(Stage):
    """Requests, singly and in bulk, on a running device."""

    def need_workload(self) -> Workload:
        """The traffic of this device. Raises :class:`Skip` where there is no driver for it."""
        if self.workload is None:
            raise Skip(f"no driver for device type {self.device.identity.type_name}, so nothing can be moved")
        return self.workload

    def need_queue_bit(self) -> None:
        """Raise :class:`Skip` unless ISR bit 0 alone was seen while running."""
        if self.control is not None and self.control.sticky:
            raise Skip("reading ISR does not clear it on this device (4.1.4.5), so what it shows may be old")
        if self.control is None or not self.control.queue_bit:
            raise Skip(
                "on the running device, traffic did not show as ISR bit 0 alone, so its absence would say nothing"
            )

    def traffic(self, doing: str = "traffic on the running device") -> Control:
        """Fill the queues, notify, and let everything come back; verified."""
        workload, isr = self.need_workload(), self.device.notifications
        isr.collect()
        queue, config = isr.used, isr.config
        workload.submit()
        workload.kick()
        completed = self.drain(doing)
        self.device.clock.sleep(SETTLE)
        isr.collect()
        seen = isr.used > queue, isr.config > config
        return Control(completed, *seen, sticky=bool(isr.collect()))

    def drain(self, doing: str) -> int:
        """Let everything that is owed come back, and verify it. Raises a :class:`DeviceError`.

        The time limit is for each step: a slow device is not a dead one.
        """
        workload = self.need_workload()
        started = workload.completed
        while True:
            before = workload.completed

            def moved(before: int = before) -> bool:
                workload.reap()
                return workload.completed != before or not workload.outstanding

            waited = self.device.wait_for(moved, self.limit(), doing=doing)
            self.more_time(waited.seconds)  # only what is waited in vain uses the check's time up
            if not workload.outstanding:
                break
        workload.verify()
        return workload.completed - started

    def answers(self, index: int) -> bool:
        """Whether the device works on what is put into this queue, instead of keeping it until something comes in."""
        device = self.device
        accepted = device.negotiated.accepted if device.negotiated else Features()
        known = queue_name(device.identity.type, index, device.transport.queue_count(), accepted)
        return known is None or known.answered

    def notifies(self) -> bool:
        """Whether ISR shows one more request, which is left in the ring until then.

        A driver that takes what is used at once moves its used event along, and may then be owed nothing (2.7.10).
        """
        return self._ask(self._shows_in_isr)

    def interrupts(self) -> bool:
        """Whether the interrupt arrives for one more request; False where there is no line as well."""
        if not self.device.notifications.line.present:
            return False
        return self._ask(lambda ask: shows_on_the_line(self.device, ask, self.limit()))

    def _shows_in_isr(self, ask: Callable[[], None]) -> bool:
        since = isr_count(self.device)
        ask()
        return shows_in_isr(self.device, since, self.limit())

    def _ask(self, shows: Callable[[Callable[[], None]], bool]) -> bool:
        workload = self.need_workload()

        def ask() -> None:
            workload.submit(1)
            workload.kick()

        for _ in range(REQUESTS):
            shown = shows(ask)
            self.drain("one more request, for its notification")
            if shown:
                return True
        return False

    def load(self, *, kicked: bool = True) -> None:
        """Requests in flight (notified; none without ``kicked``), and buffers waiting (published, not notified)."""
        workload = self.need_workload()
        # With room for one request only it is the one that waits.
        first = workload.room // 2 if kicked else 0
        if first:
            workload.submit(first)
            workload.kick()
        if workload.room:
            workload.submit()

    def delay(self, seconds: float) -> bool:
        """Ask the host side to keep requests in process for so long, for this check; False where it cannot be asked."""
        if self.triggers is None or "delay" not in self.triggers.available():
            return False
        self.triggers.fire("delay", seconds=seconds)
        self.cleanups.append(partial(self.triggers.fire, "delay", seconds=None))
        return True

    def move_data(self, doing: str) -> tuple[str, Control | None]:
        """Fresh traffic: what is wrong with it (empty when it works), and what it showed."""
        try:
            return "", self.traffic(doing)
        except DeviceGone:
            raise
        except (DeviceError, DriverMisuse) as error:
            return str(error), None
