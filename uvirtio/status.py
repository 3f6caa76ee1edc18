"""The status byte of a device: what the driver wrote, what the device answers, and the bounded wait for that (virtio 1.4, 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import partial

from .access.clock import Clock
from .access.view import Region
from .access.wait import CEILING, Polled, poll
from .deviations import Deviations
from .errors import DeviceGone, DeviceNeedsReset, DriverMisuse
from .spec.pci import Header
from .spec.status import GONE, Status, describe
from .transport import Transport

__all__ = ["ALL_ONES", "DONE", "REFUSED", "Phase", "StatusByte", "status_table"]

#: Outcomes of a wait on the status byte.
DONE, REFUSED, ALL_ONES = 1, 2, 3

_NEEDS_RESET = int(Status.DEVICE_NEEDS_RESET)


class Phase(Enum):
    """Where in its life the driver has brought the device."""

    UNKNOWN = "unknown"
    RESET = "reset"
    ACKNOWLEDGED = "acknowledged"
    NEGOTIATED = "negotiated"
    RUNNING = "running"
    SUSPENDED = "suspended"
    FAILED = "failed"


def status_table(done: Callable[[int], bool], *, refusal: bool = True) -> bytes:
    """What each status byte means for a wait: 0 not yet, DONE, REFUSED (DEVICE_NEEDS_RESET), ALL_ONES.

    States are told by masks, never by equality with one byte.
    """
    table = bytearray(256)
    for value in range(256):
        if value == GONE:
            table[value] = ALL_ONES
        elif refusal and value & _NEEDS_RESET:
            table[value] = REFUSED
        elif done(value):
            table[value] = DONE
    return bytes(table)


class StatusByte:
    """``device_status`` of one function, with configuration space (``config``) as the witness for whether it is still there."""

    def __init__(
        self, transport: Transport, config: Region, clock: Clock, locator: str, deviations: Deviations
    ) -> None:
        self._transport = transport
        self._config = config
        self._clock = clock
        self._locator = locator
        self._deviations = deviations
        self._read = partial(transport.status_view.__getitem__, transport.status_index)
        #: Where the driver has brought the device.
        self.phase = Phase.UNKNOWN
        #: The byte as the driver last wrote it, less SUSPEND once the device has resumed.
        self.written = 0

    def read(self) -> int:
        """Read it once."""
        return self._transport.status()

    def write(self, value: int) -> None:
        """Write it once. Only reset clears bits (2.1.1, D7): raises :class:`DriverMisuse` otherwise."""
        cleared = self.written & ~value
        if value and cleared and not self._deviations.allow("D7"):
            raise DriverMisuse(
                f"writing status {describe(value)} over {describe(self.written)} clears bits; only a reset may (virtio 1.4, 2.1.1)"
            )
        self.written = value
        self._transport.set_status(value)

    def add(self, bits: int) -> None:
        """Write what was written last with more bits set."""
        self.write(self.written | bits)

    def note_resumed(self) -> None:
        """The device has cleared SUSPEND by itself, which 3.4 lets it do: the next suspend sets it again."""
        self.written &= ~int(Status.SUSPEND)

    def absent(self) -> bool:
        """Whether configuration space no longer answers for this function."""
        return self._config.u16[Header.VENDOR // 2] == 0xFFFF

    def await_(self, table: bytes, timeout: float, sleep: Callable[[float], object] | None = None) -> Polled:
        """The bounded wait, with a :func:`status_table` and a limit in seconds; ``sleep`` as in :func:`poll`.

        All-ones is "absent or busy": while configuration space answers, the wait goes on until its deadline, and is then
        one that timed out.
        Raises :class:`DeviceGone`. A timeout is outcome 0, with the last value.
        """
        clock = self._clock
        started = clock.now()
        reads, last_not_yet = 0, started
        while True:
            polled = poll(self._read, table, clock, max(0.0, started + timeout - clock.now()), sleep=sleep)
            first = reads == 0
            reads += polled.reads
            if polled.outcome != ALL_ONES:
                # A BAR that was taken away reads 0 on some hosts, which looks like a reset that is done.
                if polled.value == 0 and self.absent():
                    raise self._gone("status reads 0 and configuration space all-ones; the device was removed")
                not_yet = polled.last_not_yet if first or polled.reads > 1 else last_not_yet
                return polled._replace(reads=reads, started=started, last_not_yet=not_yet)
            if self.absent():
                raise self._gone("status and configuration space read all-ones; the device was removed")
            last_not_yet = polled.first_done
            if last_not_yet >= started + timeout:
                return polled._replace(outcome=0, reads=reads, started=started, last_not_yet=last_not_yet)
            clock.sleep(CEILING)

    def _gone(self, why: str) -> DeviceGone:
        self.phase = Phase.FAILED
        return DeviceGone(f"{self._locator}: {why}")

    def check_alive(self, doing: str) -> None:
        """Read it once. Raises :class:`DeviceGone` or :class:`DeviceNeedsReset`, saying what was being done."""
        status = self.read()
        # A BAR that was taken away reads 0 on some hosts.
        absent = status in (0, GONE) and self.absent()
        if status == GONE or absent:
            where = "and configuration space all-ones" if absent else "while configuration space answers"
            raise DeviceGone(f"{self._locator}: while {doing}, status reads {status:#04x} {where}; the device is gone")
        if status & _NEEDS_RESET:
            raise DeviceNeedsReset(
                f"{self._locator}: while {doing}, the device set DEVICE_NEEDS_RESET: status {describe(status)}"
            )
