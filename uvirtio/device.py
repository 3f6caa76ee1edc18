"""The life of a device: reset, acknowledge, negotiate, set up queues, run, and reset again (virtio 1.4, 3.1).

Suspend and resume stand on this in :mod:`uvirtio.suspend`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from .access.trace import Recorder
from .access.wait import Polled, poll
from .attached import ALL_ONES, DONE, REFUSED, TIMEOUT, Attached, Phase, status_table
from .bus import Function
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
from .negotiation import TRANSPORT_FEATURES, Negotiated, choose
from .queue import Queue
from .queue.make import make_queue
from .spec.features import Feature, Features
from .spec.status import GONE, Status, describe

__all__ = ["ALL_ONES", "DONE", "REFUSED", "TIMEOUT", "Device", "Phase", "status_table"]

_RESET_DONE = status_table(lambda value: value == 0, refusal=False)


class Device(Attached):
    """A virtio device on an open function, and its life.

    ``timeout`` (seconds) bounds every step. Closing resets the device, waits for 0, and closes the function.
    """

    def __init__(self, function: Function, *, recorder: Recorder | None = None, timeout: float = TIMEOUT) -> None:
        """Attach to it; its registers are not touched yet. Raises as :class:`Attached` does."""
        super().__init__(function, recorder=recorder, timeout=timeout)
        self.queues: dict[int, Queue] = {}
        self.offered = Features()
        self.negotiated: Negotiated | None = None

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
        # Only now, when nothing of an earlier driver's can make the device write anywhere.
        self.function.enable_bus_mastering()
        self.drop_queues()
        self.negotiated = None
        return polled

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


class _Reading:
    """Something to poll that is more than one register access."""

    def __init__(self, read: Callable[[], bool]) -> None:
        self._read = read

    def __getitem__(self, _index: int) -> int:
        return int(self._read())
