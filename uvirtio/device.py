"""The life of a device: reset, acknowledge, negotiate, set up queues, run, and reset again (virtio 1.4, 3.1).

Suspend and resume stand on this in :mod:`uvirtio.suspend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from types import TracebackType

from .access.interrupt import IsrOwner
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
    NegotiationFailed,
    SuspendedError,
    UvirtioError,
)
from .negotiation import TRANSPORT_FEATURES, Negotiated, choose
from .pci.capabilities import walk
from .pci.header import read_identity
from .queue import Queue
from .queue.make import make_queue
from .spec.features import Feature, Features
from .spec.pci import Command, Header
from .spec.status import GONE, Status, describe
from .transport import Transport
from .transport.choose import choose_transport

__all__ = ["ALL_ONES", "DONE", "REFUSED", "TIMEOUT", "Device", "Phase", "status_table"]

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


_RESET_DONE = status_table(lambda value: value == 0, refusal=False)


class Device:
    """A virtio device on an open function.

    ``timeout`` (seconds) bounds every step. Closing resets the device, waits for 0, and closes the function.
    """

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
        self.queues: dict[int, Queue] = {}
        self.phase = Phase.UNKNOWN
        self.offered = Features()
        self.negotiated: Negotiated | None = None
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
                not_yet = polled.last_not_yet if first or polled.reads > 1 else last_not_yet
                return replace(polled, reads=reads, started=started, last_not_yet=not_yet)
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
        if status == GONE:
            where = (
                "and configuration space reads all-ones too" if self.absent() else "while configuration space answers"
            )
            raise DeviceGone(f"{self.function.locator}: while {doing}, status reads 0xff {where}; the device is gone")
        if status & _NEEDS_RESET:
            raise DeviceNeedsReset(
                f"{self.function.locator}: while {doing}, the device set DEVICE_NEEDS_RESET: status {describe(status)}"
            )

    def line_count(self) -> int:
        """Interrupts delivered since the function was opened."""
        return self.function.line.count()

    # -- life --------------------------------------------------------------------------------------------------

    def reset(self, timeout: float | None = None) -> Polled:
        """Write 0 and wait until the status reads 0 (2.4, 4.1.4.3.2). Queues are dropped, their memory is freed.

        Raises :class:`DeviceTimeout` (memory is then kept: it may still belong to the device) or :class:`DeviceGone`.
        """
        self.write_status(0)
        polled = self.await_status(_RESET_DONE, timeout)
        if polled.outcome != DONE:
            self.phase = Phase.FAILED
            raise DeviceTimeout(
                f"{self.function.locator}: 0 was written to status, but it reads {describe(polled.value)} after "
                f"{polled.seconds:.3g} s and {polled.reads} reads; the device does not reset",
                value=polled.value,
                seconds=polled.seconds,
                reads=polled.reads,
            )
        self.phase = Phase.RESET
        self._enable_bus_mastering()
        self.drop_queues()
        self.negotiated = None
        return polled

    def _enable_bus_mastering(self) -> None:
        """Let the device reach memory: only now, when nothing of an earlier driver's can make it write anywhere."""
        command = self.function.config.u16[Header.COMMAND // 2]
        if not command & Command.BUS_MASTER:
            self.function.config.u16[Header.COMMAND // 2] = command | Command.BUS_MASTER

    def begin(self) -> Features:
        """Reset, ACKNOWLEDGE, DRIVER, and read what the device offers (3.1.1, steps 1 to 3)."""
        self.reset()
        self.write_status(Status.ACKNOWLEDGE)
        self.write_status(self._written | Status.DRIVER)
        self.check_alive("reading the offered features")
        self.phase = Phase.ACKNOWLEDGED
        self.offered = self.transport.device_features()
        return self.offered

    def negotiate(
        self,
        wanted: Features,
        *,
        required: Features | None = None,
        without: Features | None = None,
        dependencies: dict[int, tuple[int, ...]] | None = None,
    ) -> Negotiated:
        """Accept what is wanted and offered, set FEATURES_OK, and re-read it (3.1.1, steps 4 to 6).

        The legacy interface has no FEATURES_OK: there it ends with the second of these (3.1.2).
        ``without`` turns features off by bit. Raises :class:`NegotiationFailed` after setting FAILED and resetting.
        """
        needed = Features() if required is None else required
        if self.transport.kind == "modern":
            needed = needed.with_bits([Feature.VERSION_1])
        everything = wanted | TRANSPORT_FEATURES | needed
        if without is not None:
            everything = everything - without
        try:
            negotiated = choose(self.offered, everything, needed, dependencies)
            self._check_platform(negotiated.accepted)
            self.transport.set_driver_features(negotiated.accepted)
            if self.transport.kind == "modern":
                self._confirm_features(negotiated)
        except NegotiationFailed:
            self._give_up()
            raise
        self.negotiated = negotiated
        self.phase = Phase.NEGOTIATED
        return negotiated

    def _confirm_features(self, negotiated: Negotiated) -> None:
        self.write_status(self._written | Status.FEATURES_OK)
        status = self.transport.status()
        if status == GONE:
            self.check_alive("setting FEATURES_OK")
        if not status & Status.FEATURES_OK:
            raise NegotiationFailed(
                f"{self.function.locator}: the device refused FEATURES_OK: offered {self.offered}, "
                f"accepted {negotiated.accepted} (bits {', '.join(map(str, negotiated.accepted))}), "
                f"status {describe(status)}"
            )

    def _check_platform(self, accepted: Features) -> None:
        if Feature.ACCESS_PLATFORM in accepted and getattr(self.function, "translated", False):
            self._give_up()
            raise CannotRun(
                f"{self.function.locator}: the device uses the platform's IOMMU (ACCESS_PLATFORM) and sits in a translated "
                "IOMMU group, so physical addresses would not reach memory; boot with iommu=pt or intel_iommu=off, or "
                "take iommu_platform=on off the device"
            )

    def _give_up(self) -> None:
        """Set FAILED, then reset, as 2.1.1 demands before another try."""
        self.write_status(self._written | Status.FAILED)
        self.reset()

    def set_up_queue(self, index: int, limit: int | None = None) -> Queue:
        """Make and enable a queue of at most ``limit`` descriptors (None: as large as the device allows, up to 256).

        Raises :class:`DeviceMisbehaved` when the device has no such queue.
        """
        assert self.negotiated is not None, "queues are set up after negotiation"
        accepted = self.negotiated.accepted
        maximum = self.transport.queue_maximum(index)
        if maximum == 0:
            raise DeviceMisbehaved(
                f"{self.function.locator}: queue {index} is not available; the device has {self.transport.queue_count()} queues"
            )
        legacy = self.transport.kind == "legacy"
        # A legacy device says the size of its queue; the driver has no say in it.
        size = maximum if legacy else min(maximum, limit or 256)
        if Feature.RING_PACKED not in accepted:
            if maximum & (maximum - 1):
                raise DeviceMisbehaved(
                    f"queue {index} has size {maximum}; a split queue's is a power of 2 (virtio 1.4, 2.7)"
                )
            size = 1 << size.bit_length() - 1
        queue = make_queue(index, size, self.function.dma, accepted, legacy=legacy)
        self.function.dma.verify()
        queue.recorder = self.recorder
        queue.allow = self._allowed
        self.transport.enable_queue(
            index, queue.size, queue.descriptor_address, queue.driver_address, queue.device_address
        )
        # Read now: selecting a queue may be ignored while the device is suspended.
        queue.notifier = self.transport.notifier(index, accepted)
        self.queues[index] = queue
        return queue

    def reset_queue(self, index: int) -> list[int]:
        """Reset one queue and enable it again, empty (2.6.1). Returns the tokens that were in flight and are not used.

        Raises :class:`DriverMisuse` without RING_RESET, :class:`SuspendedError`, :class:`DeviceTimeout`.
        """
        assert self.negotiated is not None, "queues are reset after negotiation"
        if Feature.RING_RESET not in self.negotiated.accepted:
            raise DriverMisuse(
                f"queue {index} cannot be reset by itself: RING_RESET was not negotiated; reset the device"
            )
        if self.phase is Phase.SUSPENDED:
            raise SuspendedError(f"queue {index}: the device is suspended; resume it before resetting a queue")
        queue = self.queues[index]
        self.transport.reset_queue(index)
        in_reset = _Reading(lambda: self.transport.queue_in_reset(index))
        polled = poll(in_reset, 0, (1, 0), self.clock, self.timeout)
        if not polled.outcome:
            self.check_alive(f"resetting queue {index}")
            raise DeviceTimeout(
                f"{self.function.locator}: queue_reset of queue {index} still reads 1 after {self.timeout:g} s",
                value=1, seconds=polled.seconds, reads=polled.reads,
            )  # fmt: skip
        unused = queue.reset()
        self.transport.enable_queue(
            index, queue.size, queue.descriptor_address, queue.driver_address, queue.device_address
        )
        return unused

    def queue(self, index: int) -> Queue:
        """A queue that has been set up."""
        return self.queues[index]

    def driver_ok(self) -> None:
        """Set DRIVER_OK: the device is live (3.1.1, step 8)."""
        self.write_status(self._written | Status.DRIVER_OK)
        self.check_alive("setting DRIVER_OK")
        self.phase = Phase.RUNNING

    def initialise(
        self,
        wanted: Features,
        queues: Sequence[int] | dict[int, int | None] = (0,),
        *,
        required: Features | None = None,
        without: Features | None = None,
        dependencies: dict[int, tuple[int, ...]] | None = None,
    ) -> Negotiated:
        """The whole initialisation. ``queues``: indices, or indices with limits of size."""
        self.begin()
        negotiated = self.negotiate(wanted, required=required, without=without, dependencies=dependencies)
        limits = queues if isinstance(queues, dict) else dict.fromkeys(queues)
        for index, limit in limits.items():
            self.set_up_queue(index, limit)
        self.driver_ok()
        return negotiated

    def drop_queues(self) -> None:
        """Free the queues' memory. Only after a reset that read back 0."""
        for queue in self.queues.values():
            queue.close()
        self.queues.clear()

    # -- configuration -----------------------------------------------------------------------------------------

    def read_config(self, offset: int, width: int) -> int:
        """Device-specific configuration, ``width`` 1, 2, 4 or 8 bytes; eight bytes are two reads with a generation check."""
        if width == 8:
            return int.from_bytes(self.config_bytes(offset, 8), "little")
        return self.transport.read_config(offset, width)

    def config_bytes(self, offset: int = 0, length: int | None = None) -> bytes:
        """A consistent piece of device-specific configuration (2.5.1): read again while the generation moves.

        The legacy interface has no generation: there it is read until it reads the same twice (2.5.4).
        Raises :class:`ConfigurationUnstable` when it never holds still.
        """
        length = self.transport.config_length - offset if length is None else length
        deadline = self.clock.now() + self.timeout
        legacy = self.transport.kind == "legacy"
        previous: bytearray | None = None
        while True:
            before = self.transport.generation()
            data = bytearray()
            while len(data) < length:
                at = offset + len(data)
                width = next(w for w in (4, 2, 1) if at % w == 0 and len(data) + w <= length)
                data += self.transport.read_config(at, width).to_bytes(width, "little")
            if self.transport.generation() == before and (not legacy or data == previous):
                return bytes(data)
            previous = data
            if self.clock.now() >= deadline:
                raise ConfigurationUnstable(
                    f"{self.function.locator}: the configuration kept changing for {self.timeout:g} s; "
                    f"last config_generation {before}"
                )
            self.clock.sleep(1e-4)

    def write_config(self, offset: int, width: int, value: int) -> None:
        """Write device-specific configuration. Raises :class:`SuspendedError` while suspended (D5)."""
        if self.phase is Phase.SUSPENDED and "D5" not in self._allowed:
            raise SuspendedError(
                "the device is suspended: its configuration must not be written (D5; virtio 1.4, 3.4.1); resume it first"
            )
        self.transport.write_config(offset, width, value)

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait_for(
        self, predicate: Callable[[], bool], timeout: float | None = None, *, doing: str = "waiting"
    ) -> Polled:
        """Wait until ``predicate()``, sleeping on the interrupt. ISR is collected on the way.

        Raises :class:`DeviceTimeout`, or :class:`DeviceGone` and :class:`DeviceNeedsReset` as soon as they show.
        """
        timeout = self.timeout if timeout is None else timeout
        waiter = _Waiter(self, predicate, doing)
        polled = poll(waiter, 0, _YES, waiter, timeout, ceiling=0.05, spin=1)
        if polled.outcome:
            return polled
        self.check_alive(doing)
        raise DeviceTimeout(
            f"{self.function.locator}: {doing}: not within {timeout:g} s; status {describe(self.transport.status())}",
            seconds=polled.seconds,
            reads=polled.reads,
        )

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

    def hold(self, reason: str) -> None:
        """Make every queue refuse to add, publish and notify (D3, D4)."""
        self.phase = Phase.SUSPENDED
        for queue in self.queues.values():
            queue.hold(reason)

    def unhold(self) -> None:
        """Let the queues work again: the device is running."""
        self.phase = Phase.RUNNING
        for queue in self.queues.values():
            queue.unhold()

    # -- end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Reset the device and close its function; what fails on the way does not keep the rest from being undone."""
        try:
            if self.phase not in (Phase.UNKNOWN, Phase.RESET):
                self.reset()
        except UvirtioError:
            # The function's close stops the device's access to memory in any case.
            self.phase = Phase.FAILED
        finally:
            self.function.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


_YES = (0, 1)


class _Reading:
    """Something to poll that is more than one register access."""

    def __init__(self, read: Callable[[], bool]) -> None:
        self._read = read

    def __getitem__(self, _index: int) -> int:
        return int(self._read())


class _Waiter:
    """What :meth:`Device.wait_for` polls, and the clock that sleeps on the interrupt line instead of just sleeping."""

    def __init__(self, device: Device, predicate: Callable[[], bool], doing: str) -> None:
        self._device = device
        self._predicate = predicate
        self._doing = doing
        self.simulated = device.clock.simulated
        self.now = device.clock.now

    def __getitem__(self, _index: int) -> int:
        return 1 if self._predicate() else 0

    def sleep(self, seconds: float) -> None:
        isr = self._device.isr
        before = isr.all_ones
        bits = isr.wait(seconds)
        if bits & 2 or isr.all_ones != before:
            self._device.check_alive(self._doing)
