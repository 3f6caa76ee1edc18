"""The life of a device: reset, acknowledge, negotiate, set up queues, run, and reset again (virtio 1.4, 3.1).

Suspend and resume stand on this in :mod:`uvirtio.suspend`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import TracebackType

from .access.dma import DmaMemory
from .access.guards import GuardedMemory
from .access.interrupt import NoLine
from .access.notifications import Notifications
from .access.trace import Recorder
from .access.wait import YES, Polled, poll
from .bus import Function, bar_length
from .configuration import Configuration
from .deviations import Deviations
from .errors import (
    CannotRun,
    DeviceMisbehaved,
    DeviceTimeout,
    DriverMisuse,
    NegotiationFailed,
    SuspendedError,
    UsageError,
    UvirtioError,
)
from .messages import Messages, Way
from .negotiation import TRANSPORT_FEATURES, Negotiated, choose
from .pci.capabilities import walk
from .pci.command import change_command
from .pci.contradictions import in_ids
from .pci.header import read_identity
from .queue import Queue
from .queue.make import make_queue
from .spec.features import Feature, Features
from .spec.pci import Command
from .spec.status import GONE, Status, describe
from .spec.virtqueues import impossible_size
from .status import DONE, Phase, StatusByte, status_table
from .transport import Transport
from .transport.choose import choose_transport
from .waiting import wait_for

__all__ = ["TIMEOUT", "Device"]

#: Longest time that a device may take for a step, in seconds, where the caller does not say.
TIMEOUT = 10.0

_RESET_DONE = status_table(lambda value: value == 0, refusal=False)


class Device:
    """A virtio device on an open function, and its life.

    Its parts, each with a name of its own: ``transport`` (registers), ``status``, ``configuration``, ``notifications``,
    ``queues`` (by index) and ``deviations``. ``timeout`` (seconds) bounds every step. Closing resets the device, waits for
    0, and closes the function.
    """

    def __init__(self, function: Function, *, recorder: Recorder | None = None, timeout: float = TIMEOUT) -> None:
        """Read who the device is and where its structures lie; its registers are not touched yet.

        Raises :class:`NotVirtio`, :class:`DeviceGone`, :class:`DeviceMisbehaved`.
        """
        clock, locator = function.clock, function.locator
        self.function = function
        self.clock = clock
        self.recorder = recorder
        #: Where drivers get memory: between guard zones where somebody watches.
        self.dma: DmaMemory = function.dma if recorder is None else GuardedMemory(function.dma)
        self.identity = read_identity(function.config, locator)
        self.capabilities, self._list_problems = walk(function.config, partial(bar_length, function))
        self.transport: Transport = choose_transport(function, self.identity, self.capabilities, recorder)
        self.deviations = Deviations(recorder)
        self.status = StatusByte(self.transport, function.config, clock, locator, self.deviations)
        self.configuration = Configuration(
            self.transport, self.identity.type, self.status, clock, locator, self.deviations, timeout
        )
        self.notifications = Notifications(self.transport.take_isr(), function.line)
        #: The vectors of MSI-X, where these are used; see :meth:`use_messages`.
        self.messages: Messages | None = None
        self.queues: dict[int, Queue] = {}
        self.offered = Features()
        self.negotiated: Negotiated | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong with what the device says of itself in configuration space, in sentences."""
        complaints = [complaint for capability in self.capabilities for complaint in capability.complaints]
        return [*in_ids(self.identity), *self._list_problems, *complaints]

    @property
    def timeout(self) -> float:
        """Longest time that the device may take for a step, in seconds."""
        return self.configuration.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.configuration.timeout = seconds

    @property
    def phase(self) -> Phase:
        """Where in its life the driver has brought the device."""
        return self.status.phase

    def use_messages(self, way: Way | None = None, *, lag: float = 0.0) -> None:
        """From the next initialisation on be notified by messages of MSI-X (None: in the best way that the bus has).

        ``lag``: how long one may be on its way (s), which a look at notifications waits for; a wait for them does not.

        The device has to be in reset. Raises :class:`CannotRun` where it has no MSI-X, or is driven by its legacy interface.
        """
        self.use_interrupts()
        messages = Messages.of(self.function, self.capabilities, self.transport, way=way, recorder=self.recorder)
        messages.begin()
        messages.lag = lag
        self.messages = messages
        self.notifications.use(messages)

    def use_interrupts(self) -> None:
        """From the next initialisation on be notified by ISR and INTx, as from the start. The device has to be in reset."""
        messages, self.messages = self.messages, None
        self.notifications.use(None)
        if messages is not None:
            messages.end()

    def use_polling(self) -> None:
        """Let nothing interrupt any more: INTx is disabled, and ISR is looked at."""
        self.use_interrupts()
        change_command(self.function.config, set_bits=Command.INTX_DISABLE)
        self.notifications.line = NoLine(self.clock, "as asked for")

    # -- life --------------------------------------------------------------------------------------------------

    def reset(self, timeout: float | None = None) -> Polled:
        """Write 0 and wait until the status reads 0 (2.4, 4.1.4.3.2). Queues are dropped, their memory is freed.

        Raises :class:`DeviceTimeout` (memory is then kept: it may still belong to the device) or :class:`DeviceGone`.
        """
        self.status.write(0)
        polled = self.status.await_(_RESET_DONE, self.timeout if timeout is None else timeout)
        if polled.outcome != DONE:
            self.status.phase = Phase.FAILED
            raise DeviceTimeout(
                f"{self.function.locator}: 0 was written to status, but it reads {describe(polled.value)} after "
                f"{polled.seconds:.3g} s and {polled.reads} reads; the device does not reset",
                value=polled.value,
                seconds=polled.seconds,
                reads=polled.reads,
            )
        self.status.phase = Phase.RESET
        # Only now, when nothing of an earlier driver's can make the device write anywhere.
        self.function.enable_bus_mastering()
        self.drop_queues()
        self.negotiated = None
        return polled

    def begin(self) -> Features:
        """Reset, ACKNOWLEDGE, DRIVER, and read what the device offers (3.1.1, steps 1 to 3)."""
        self.reset()
        return self.acknowledge()

    def acknowledge(self) -> Features:
        """ACKNOWLEDGE, DRIVER, and read what the device offers; on a device that has just been reset."""
        self.status.write(Status.ACKNOWLEDGE)
        self.status.add(Status.DRIVER)
        self.status.check_alive("reading the offered features")
        self.status.phase = Phase.ACKNOWLEDGED
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
        ``without`` turns features off by bit. Raises :class:`NegotiationFailed` after setting FAILED and resetting,
        and :class:`UsageError` where ``without`` names what the caller requires: that is not the device's doing.
        """
        needed = Features() if required is None else required
        if self.transport.kind == "modern":
            needed = needed.with_bits([Feature.VERSION_1])
        everything = wanted | TRANSPORT_FEATURES | needed
        if without is not None:
            if clash := needed & without & self.offered:
                raise UsageError(f"feature {', '.join(map(str, clash))} cannot be left out: it is needed for this")
            everything = everything - without
        try:
            negotiated = choose(self.offered, everything, needed, dependencies, beyond=self.transport.beyond)
            self._check_platform(negotiated.accepted)
            self.transport.set_driver_features(negotiated.accepted)
            if self.transport.kind == "modern":
                self._confirm_features(negotiated)
        except NegotiationFailed:
            self._give_up()
            raise
        self.negotiated = negotiated
        self.status.phase = Phase.NEGOTIATED
        if self.messages is not None:
            self.messages.map_config()
        return negotiated

    def _confirm_features(self, negotiated: Negotiated) -> None:
        self.status.add(Status.FEATURES_OK)
        status = self.status.read()
        if status == GONE:
            self.status.check_alive("setting FEATURES_OK")
        if not status & Status.FEATURES_OK:
            raise NegotiationFailed(
                f"{self.function.locator}: the device refused FEATURES_OK: offered {self.offered}, "
                f"accepted {negotiated.accepted} (bits {', '.join(map(str, negotiated.accepted))}), "
                f"status {describe(status)}",
                rule="" if Feature.VERSION_1 in self.offered else "VERSION_1",
            )

    def _check_platform(self, accepted: Features) -> None:
        if Feature.ACCESS_PLATFORM in accepted and self.function.surroundings.translated:
            self._give_up()
            raise CannotRun(
                f"{self.function.locator}: the device uses the platform's IOMMU (ACCESS_PLATFORM) and sits in a translated "
                "IOMMU group, so physical addresses would not reach memory; drive it through VFIO "
                f"(vfio:{self.function.locator}), boot with iommu=pt or intel_iommu=off, or take iommu_platform=on off the device"
            )
        if Feature.ACCESS_PLATFORM not in accepted and self.function.surroundings.mapped:
            self._give_up()
            raise CannotRun(
                f"{self.function.locator}: without ACCESS_PLATFORM the device may go past the IOMMU and take its addresses for "
                "physical ones, which are somebody else's memory; leave the feature in, or drive it through UIO"
            )

    def _give_up(self) -> None:
        """Set FAILED, then reset, as 2.1.1 demands before another try."""
        self.status.add(Status.FAILED)
        self.reset()

    def set_up_queue(self, index: int, limit: int | None = None) -> Queue:
        """Make and enable a queue of at most ``limit`` descriptors (None: as large as the device allows, up to 256).

        Raises :class:`DeviceMisbehaved` when the device has no such queue, after setting FAILED.
        """
        assert self.negotiated is not None, "queues are set up after negotiation"
        accepted = self.negotiated.accepted
        try:
            size = self._size_for(index, limit, accepted)
        except DeviceMisbehaved:
            self.status.add(Status.FAILED)  # 3.1.1: the initialisation ends here
            raise
        legacy = self.transport.kind == "legacy"
        queue = make_queue(index, size, self.dma, accepted, legacy=legacy, recorder=self.recorder)
        self.dma.verify()
        queue.allow = self.deviations.lifted
        self._enable(queue)
        # Read now: selecting a queue may be ignored while the device is suspended.
        queue.notifier = self.transport.notifier(index, accepted)
        self.queues[index] = queue
        return queue

    def _size_for(self, index: int, limit: int | None, accepted: Features) -> int:
        maximum = self.transport.queue_maximum(index)
        if wrong := impossible_size(maximum):
            raise DeviceMisbehaved(f"{self.function.locator}: queue {index} has {wrong}")
        if maximum == 0:
            raise DeviceMisbehaved(
                f"{self.function.locator}: queue {index} is not available; the device has {self.transport.queue_count()} queues"
            )
        # A legacy device says the size of its queue; the driver has no say in it.
        size = maximum if self.transport.kind == "legacy" else min(maximum, limit or 256)
        if Feature.RING_PACKED in accepted:
            return size
        if maximum & (maximum - 1):
            raise DeviceMisbehaved(
                f"queue {index} has size {maximum}; a split queue's is a power of 2 (virtio 1.4, 2.7)"
            )
        return 1 << size.bit_length() - 1

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
        polled = poll(lambda: not self.transport.queue_in_reset(index), YES, self.clock, self.timeout)
        if not polled.outcome:
            self.status.check_alive(f"resetting queue {index}")
            raise DeviceTimeout(
                f"{self.function.locator}: queue_reset of queue {index} still reads 1 after {self.timeout:g} s",
                value=1, seconds=polled.seconds, reads=polled.reads,
            )  # fmt: skip
        unused = queue.reset()
        self._enable(queue)
        return unused

    def _enable(self, queue: Queue) -> None:
        if self.messages is not None:
            self.messages.map_queue(queue.index)
        self.transport.enable_queue(
            queue.index, queue.size, queue.descriptor_address, queue.driver_address, queue.device_address
        )

    def queue(self, index: int) -> Queue:
        """A queue that has been set up."""
        return self.queues[index]

    def driver_ok(self) -> None:
        """Set DRIVER_OK: the device is live (3.1.1, step 8)."""
        self.status.add(Status.DRIVER_OK)
        self.status.check_alive("setting DRIVER_OK")
        self.status.phase = Phase.RUNNING

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

    def hold(self, reason: str) -> None:
        """Make every queue refuse to add, publish and notify (D3, D4)."""
        self.status.phase = Phase.SUSPENDED
        for queue in self.queues.values():
            queue.hold(reason)

    def unhold(self) -> None:
        """Let the queues work again: the device is running."""
        self.status.phase = Phase.RUNNING
        for queue in self.queues.values():
            queue.unhold()

    def deviating(self, duty: str, why: str) -> AbstractContextManager[None]:
        """Lift exactly one guard of the library (``D1`` … ``D7``) for a deliberate deviation, tagged in the record."""
        return self.deviations.lift(duty, why)

    def wait_for(
        self,
        predicate: Callable[[], bool],
        timeout: float | None = None,
        *,
        doing: str = "waiting",
        queues: Sequence[Queue] = (),
    ) -> Polled:
        """Wait until ``predicate()``, for ``timeout`` seconds at most; see :func:`uvirtio.waiting.wait_for`."""
        return wait_for(self, predicate, self.timeout if timeout is None else timeout, doing=doing, queues=queues)

    # -- end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Reset the device and close its function; what fails on the way does not keep the rest from being undone."""
        try:
            if self.phase not in (Phase.UNKNOWN, Phase.RESET):
                self.reset()
        except UvirtioError:
            # The function's close stops the device's access to memory in any case.
            self.status.phase = Phase.FAILED
        finally:
            with suppress(UvirtioError):
                self.use_interrupts()
            self.function.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
