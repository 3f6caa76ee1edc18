"""A device that the driver is attached to: its status byte, its configuration, its interrupts, and the waits on them.

What happens over a device's life stands on this in :mod:`uvirtio.device`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from .access.interrupt import IsrOwner
from .access.steady import read_steady
from .access.trace import Recorder
from .access.wait import CEILING, Polled, poll
from .bus import Function
from .errors import (
    CannotRun,
    ConfigurationUnstable,
    DeviceGone,
    DeviceMisbehaved,
    DeviceNeedsReset,
    DeviceTimeout,
    DriverMisuse,
    SuspendedError,
)
from .pci.capabilities import walk
from .pci.header import read_identity
from .queue import Queue
from .queue.policy import BUDGET, CompletionWait
from .spec.devices import device_spec
from .spec.pci import Header
from .spec.registers import IsrBit
from .spec.status import GONE, Status, describe
from .transport import Transport
from .transport.choose import choose_transport

__all__ = ["ALL_ONES", "DONE", "REFUSED", "TIMEOUT", "Attached", "Phase", "status_table"]

#: Longest time that a device may take for a step, in seconds, where the caller does not say.
TIMEOUT = 10.0

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


class Attached:
    """A virtio device on an open function, whatever state it is in. ``timeout`` (seconds) bounds every step."""

    def __init__(self, function: Function, *, recorder: Recorder | None = None, timeout: float = TIMEOUT) -> None:
        """Read who the device is and where its structures lie; its registers are not touched yet.

        Raises :class:`NotVirtio`, :class:`DeviceGone`, :class:`DeviceMisbehaved`.
        """
        self.function = function
        self.clock = function.clock
        self.recorder = recorder
        self.timeout = timeout
        self.identity = read_identity(function.config, function.locator)
        self.capabilities, self.list_problems = walk(function.config, self._bar_length)
        self.transport: Transport = choose_transport(function, self.identity, self.capabilities, recorder)
        self.line = function.line
        self.isr = IsrOwner(self.transport.isr, function.line)
        self.phase = Phase.UNKNOWN
        self._written = 0
        self._allowed: set[str] = set()

    def _bar_length(self, number: int) -> int | None:
        try:
            return self.function.bar(number).length
        except (DeviceMisbehaved, CannotRun):
            return None

    # -- status ------------------------------------------------------------------------------------------------

    @property
    def written(self) -> int:
        """The status byte as the driver last wrote it, less SUSPEND once the device has resumed."""
        return self._written

    def write_status(self, value: int) -> None:
        """Write ``device_status`` once. Only reset clears bits (2.1.1, D7): raises :class:`DriverMisuse` otherwise."""
        cleared = self._written & ~value
        if value and cleared and "D7" not in self._allowed:
            raise DriverMisuse(
                f"writing status {describe(value)} over {describe(self._written)} clears bits; only a reset may (virtio 1.4, 2.1.1)"
            )
        self._written = value
        self.transport.set_status(value)

    def note_resumed(self) -> None:
        """The device has cleared SUSPEND by itself, which 3.4 lets it do: the next suspend sets it again."""
        self._written &= ~int(Status.SUSPEND)

    def absent(self) -> bool:
        """Whether configuration space no longer answers for this function."""
        return self.function.config.u16[Header.VENDOR // 2] == 0xFFFF

    def await_status(self, table: bytes, timeout: float | None = None) -> Polled:
        """The bounded wait on the status byte, with a :func:`status_table`.

        All-ones is "absent or busy": while configuration space answers, the wait goes on until its deadline.
        Raises :class:`DeviceGone`. A timeout is outcome 0, with the last value.
        """
        timeout = self.timeout if timeout is None else timeout
        clock, view, index = self.clock, self.transport.status_view, self.transport.status_index
        started = clock.now()
        reads, last_not_yet = 0, started
        while True:
            polled = poll(view, index, table, clock, max(0.0, started + timeout - clock.now()))
            first = reads == 0
            reads += polled.reads
            if polled.outcome != ALL_ONES:
                # A BAR that was taken away reads 0 on some hosts, which looks like a reset that is done.
                if polled.value == 0 and self.absent():
                    self.phase = Phase.FAILED
                    raise DeviceGone(
                        f"{self.function.locator}: status reads 0 and configuration space all-ones; the device was removed"
                    )
                not_yet = polled.last_not_yet if first or polled.reads > 1 else last_not_yet
                return polled._replace(reads=reads, started=started, last_not_yet=not_yet)
            if self.absent():
                self.phase = Phase.FAILED
                raise DeviceGone(
                    f"{self.function.locator}: status and configuration space read all-ones; the device was removed"
                )
            last_not_yet = polled.first_done
            if last_not_yet >= started + timeout:
                self.phase = Phase.FAILED
                raise DeviceGone(
                    f"{self.function.locator}: status has read 0xff for {timeout:g} s although configuration space still "
                    "answers; the device is gone, or its host side does not answer any more"
                )
            clock.sleep(CEILING)

    def check_alive(self, doing: str) -> None:
        """Read the status once. Raises :class:`DeviceGone` or :class:`DeviceNeedsReset`, saying what was being done."""
        status = self.transport.status()
        # A BAR that was taken away reads 0 on some hosts.
        absent = status in (0, GONE) and self.absent()
        if status == GONE or absent:
            where = "and configuration space all-ones" if absent else "while configuration space answers"
            raise DeviceGone(
                f"{self.function.locator}: while {doing}, status reads {status:#04x} {where}; the device is gone"
            )
        if status & _NEEDS_RESET:
            raise DeviceNeedsReset(
                f"{self.function.locator}: while {doing}, the device set DEVICE_NEEDS_RESET: status {describe(status)}"
            )

    def line_count(self) -> int:
        """Interrupts delivered since the function was opened."""
        return self.function.line.count()

    # -- configuration -----------------------------------------------------------------------------------------

    def read_config(self, offset: int, width: int) -> int:
        """Device-specific configuration, ``width`` 1, 2, 4 or 8 bytes; eight bytes are two reads with a generation check."""
        if width == 8:
            return int.from_bytes(self.config_bytes(offset, 8), "little")
        return self.transport.read_config(offset, width)

    def config_bytes(self, offset: int = 0, length: int | None = None, *, what: str = "the configuration") -> bytes:
        """A consistent piece of device-specific configuration (2.5.1): read again while the generation moves.

        The legacy interface has no generation: there it is read until it reads the same twice (2.5.4). What is one
        access is consistent by itself. Raises :class:`ConfigurationUnstable`, about ``what``, when it never holds still.
        """
        length = self.transport.config_length - offset if length is None else length
        accesses = list(self._config_accesses(offset, length))

        def read() -> bytes:
            return b"".join(self.transport.read_config(at, width).to_bytes(width, "little") for at, width in accesses)

        if len(accesses) < 2:
            return read()
        generation = None if self.transport.kind == "legacy" else self.transport.generation
        data, steady = read_steady(read, generation, self.clock, self.timeout)
        if not steady:
            raise ConfigurationUnstable(
                f"{self.function.locator}: {what} kept changing for {self.timeout:g} s, so it could not be read as a whole; "
                f"the last reading is {data.hex()}"
            )
        return data

    def _config_accesses(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Accesses (offset, width) that read these bytes, each as wide as the field it falls into (4.1.3.1)."""
        fields = device_spec(self.identity.type).fields
        end = offset + length
        while offset < end:
            field = next((field for field in fields if field.offset <= offset < field.offset + field.size), None)
            # 64-bit fields are two of 32 bits; between fields, and in a part of one, a byte at a time does no harm.
            width = min(field.width, 4) if field is not None else 1
            if offset % width or offset + width > end:
                width = 1
            yield offset, width
            offset += width

    def write_config(self, offset: int, width: int, value: int) -> None:
        """Write device-specific configuration. Raises :class:`SuspendedError` while suspended (D5)."""
        if self.phase is Phase.SUSPENDED and "D5" not in self._allowed:
            raise SuspendedError(
                "the device is suspended: its configuration must not be written (D5; virtio 1.4, 3.4.1); resume it first"
            )
        self.transport.write_config(offset, width, value)

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait_for(
        self,
        predicate: Callable[[], bool],
        timeout: float | None = None,
        *,
        doing: str = "waiting",
        queues: Sequence[Queue] = (),
    ) -> Polled:
        """Wait until ``predicate()``, sleeping on the interrupt. ISR is collected on the way.

        With ``queues`` it can only become true by what the device uses there: then the rings are looked at before anything
        sleeps, without asking for notifications, as :class:`~uvirtio.queue.policy.CompletionWait` does. What a wait shows
        about notifications is lost that way, so that traffic by which a device is judged goes without.

        Raises :class:`DeviceTimeout`, or :class:`DeviceGone` and :class:`DeviceNeedsReset` as soon as they show.
        """
        timeout = self.timeout if timeout is None else timeout
        waiter = _Waiter(self, predicate, doing)
        # Simulated time does not pass while one looks, so that looking again would show nothing new.
        if queues and not self.clock.simulated:
            polled = self._work_through(queues, waiter, timeout)
        else:
            polled = poll(waiter, 0, _YES, waiter, timeout, ceiling=0.05, spin=1)
        if polled.outcome:
            return polled
        self.check_alive(doing)
        raise DeviceTimeout(
            f"{self.function.locator}: {doing}: not within {timeout:g} s; status {describe(self.transport.status())}",
            seconds=polled.seconds,
            reads=polled.reads,
        )

    def _work_through(self, queues: Sequence[Queue], waiter: _Waiter, timeout: float) -> Polled:
        """Ask the predicate again whenever there are used buffers, and one last time after the deadline."""
        now = self.clock.now
        started = last = now()
        asked = 0
        wait: CompletionWait | None = None
        try:
            while True:
                before, asked = now(), asked + 1
                outcome = waiter[0]
                if outcome or before >= started + timeout:
                    return Polled(outcome, outcome, asked, started, last, now())
                last = before
                if any(queue.ready for queue in queues):
                    continue
                if wait is None:
                    wait = CompletionWait(queues, self.isr, self.clock, BUDGET, noticed=waiter.noticed)
                wait.wait(started + timeout - before)
        finally:
            if wait is not None:
                wait.close()

    # -- deviations --------------------------------------------------------------------------------------------

    @contextmanager
    def deviating(self, duty: str, why: str) -> Iterator[None]:
        """Lift exactly one guard of the library (``D1`` … ``D7``) for a deliberate deviation, tagged in the trace."""
        fresh = duty not in self._allowed
        self._allowed.add(duty)
        try:
            if self.recorder is None:
                yield
            else:
                with self.recorder.deviating(duty, why):
                    yield
        finally:
            if fresh:
                self._allowed.discard(duty)

    def allows(self, duty: str) -> bool:
        """Whether a deviation from this duty is under way."""
        return duty in self._allowed


_YES = (0, 1)


class _Waiter:
    """What :meth:`Device.wait_for` polls, and the clock that sleeps on the interrupt line instead of just sleeping."""

    def __init__(self, device: Attached, predicate: Callable[[], bool], doing: str) -> None:
        self._device = device
        self._predicate = predicate
        self._doing = doing
        self._all_ones = device.isr.all_ones
        self.simulated = device.clock.simulated
        self.now = device.clock.now

    def __getitem__(self, _index: int) -> int:
        return 1 if self._predicate() else 0

    def sleep(self, seconds: float) -> None:
        self.noticed(self._device.isr.wait(seconds))

    def noticed(self, bits: int) -> None:
        """ISR showed this: where it tells of more than used buffers, see what has become of the device."""
        if bits & IsrBit.CONFIG or self._device.isr.all_ones != self._all_ones:
            self._all_ones = self._device.isr.all_ones
            self._device.check_alive(self._doing)
