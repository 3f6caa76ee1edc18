"""The virtio device: features, status, queues, configuration and its generation (virtio 1.4, 2 and 4.1.4.3).

How it answers when it is suspended and resumed is not decided here but by its ``behaviour``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from ..errors import CannotRun
from ..spec.features import COMMON_DEPENDENCIES, Feature
from ..spec.registers import NO_VECTOR
from ..spec.status import Status
from .behaviour import Behaviour
from .interrupts import Interrupts
from .log import AccessLog
from .memory import DriverFault, GuestMemory
from .model import DeviceModel
from .queue import DeviceQueue
from .ring_packed import PackedRing
from .ring_split import SplitRing
from .seams import DeviceClock

__all__ = ["DeviceOptions", "VirtioDevice"]


class _Parts(Protocol):
    """The classes of the parts that a device makes."""

    @property
    def behaviour(self) -> type[Behaviour]:
        """How it suspends and resumes."""

    @property
    def queue(self) -> type[DeviceQueue]:
        """Its queues."""

    @property
    def split_ring(self) -> type[SplitRing]:
        """Their rings in the one format."""

    @property
    def packed_ring(self) -> type[PackedRing]:
        """In the other."""


class DeviceOptions(Protocol):
    """What a device is told: times in seconds, sizes in descriptors, ``depth`` requests of a queue in process at once."""

    @property
    def parts(self) -> _Parts:
        """What it is made of."""

    @property
    def latency(self) -> float:
        """How long requests stay in process."""

    @property
    def depth(self) -> int:
        """How many of a queue do at once."""

    @property
    def delay(self) -> float:
        """How long suspend and resume take at least."""

    @property
    def queue_size(self) -> int:
        """The largest size of a queue."""

    @property
    def insist(self) -> bool:
        """Whether features without VERSION_1 are refused, as a device may (6.2)."""

    def offered(self, model: DeviceModel) -> int:
        """The feature bits that are offered."""


class VirtioDevice:
    """A device of one type."""

    #: What is saved of it, beside its queues, its type and how far it is suspended.
    STATE = (
        "status", "accepted", "config_vector", "device_feature_select", "driver_feature_select", "queue_select", "generation",
        "_changed", "_deferred", "_pending_config", "_held", "latency",
    )  # fmt: skip

    def __init__(
        self,
        model: DeviceModel,
        options: DeviceOptions,
        clock: DeviceClock,
        memory: GuestMemory,
        log: AccessLog,
        interrupts: Interrupts,
    ) -> None:
        parts = options.parts
        self.model = model
        self.clock = clock
        self.memory = memory
        self.log = log
        self.interrupts = interrupts
        self.latency = options.latency
        self.depth = options.depth
        self.insist = options.insist
        self.split_ring = parts.split_ring
        self.packed_ring = parts.packed_ring
        self.behaviour: Behaviour = parts.behaviour(self, options.delay)
        self.offered = options.offered(model)
        self.queues = [
            parts.queue(self, index, options.queue_size, waits=index in model.waiting)
            for index in range(model.queue_count)
        ]
        self.generation = 0
        self._changed = False
        self._deferred: dict[str, int] = {}
        self._pending_config = False
        self._held: set[int] = set()
        self._initial()
        model.attach(self)

    def _initial(self) -> None:
        self.status = 0
        self.accepted = 0
        self.config_vector = NO_VECTOR
        self.device_feature_select = 0
        self.driver_feature_select = 0
        self.queue_select = 0
        self._pending_config = False
        self._held.clear()

    # Life

    def reset(self) -> None:
        """Everything a driver set is forgotten; requests in process are dropped (2.4)."""
        for queue in self.queues:
            queue.reset()
        self._initial()
        self.interrupts.reset()
        self.behaviour.reset()
        self._apply_deferred()
        self.model.reset()
        self.log.event("reset")

    def negotiated(self, bit: int) -> bool:
        """Whether a feature was accepted by the driver."""
        return bool(self.accepted >> bit & 1)

    def features_acceptable(self) -> bool:
        """Whether the accepted features are a valid subset (2.2.2); there is no legacy interface here."""
        if self.accepted & ~self.offered or (self.insist and not self.negotiated(Feature.VERSION_1)):
            return False
        dependencies = COMMON_DEPENDENCIES | self.model.spec().dependencies
        return all(
            self.negotiated(required)
            for bit, needs in dependencies.items()
            if self.negotiated(bit)
            for required in needs
        )

    def start(self) -> None:
        """DRIVER_OK: the queues are live."""
        self.log.event("driver ok", f"features {self.accepted:#x}")
        with self.guarded():
            self.model.live()
            self.service_all()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """A driver's nonsense found inside puts the device into its error state (2.1.2)."""
        try:
            yield
        except DriverFault as error:
            self.log.fault("memory", "", str(error))
            self.behaviour.fail(str(error))

    # Queues

    def service_all(self) -> None:
        """Look at every queue."""
        for queue in self.queues:
            if queue.enabled:
                queue.service()

    def kicked(self, index: int) -> None:
        """An available buffer notification came in."""
        if index >= len(self.queues):
            self.log.fault("notify", "", f"notification for queue {index} of {len(self.queues)}")
            return
        if not self.status & Status.DRIVER_OK and not self.status & Status.SUSPEND:
            self.log.fault("notify", "", f"notification for queue {index} before DRIVER_OK (3.1.1)")
        with self.guarded():
            self.behaviour.kicked(self.queues[index])

    @property
    def in_process(self) -> int:
        """Requests that were consumed and are not used yet."""
        return sum(len(queue.in_process) for queue in self.queues)

    def notify_queue(self, queue: DeviceQueue) -> None:
        """Send a used buffer notification, now or when it is allowed again."""
        if self.behaviour.may_notify_queue():
            self.interrupts.queue(queue.index, queue.vector)
        else:
            self._held.add(queue.index)

    def deliver_held(self) -> None:
        """Send what had to wait: notifications of the configuration and of queues."""
        if self._pending_config and self.behaviour.may_notify_config():
            self._pending_config = False
            self.interrupts.config(self.config_vector)
        if self.behaviour.may_notify_queue():
            held, self._held = sorted(self._held), set()
            for index in held:
                self.interrupts.queue(index, self.queues[index].vector)

    # Configuration

    def config_read(self) -> bytearray:
        """The configuration as the driver sees it. Reading a change makes it a new generation (4.1.4.3.1)."""
        if self._changed:
            self._changed = False
            self.generation = (self.generation + 1) & 0xFF
        return self.model.config

    def read_config(self, offset: int, width: int) -> int:
        """One read of it; zeros beyond the end, which are padding."""
        return int.from_bytes(self.config_read()[offset : offset + width], "little")

    def change_config(self, values: Mapping[str, int]) -> None:
        """The device changes its configuration by itself and notifies; while suspended that waits for resume."""
        if not self.behaviour.may_change_config():
            self._deferred |= values
            self.log.event("configuration change deferred", ", ".join(values))
            return
        self._apply(values)
        self.notify_config()

    def _apply(self, values: Mapping[str, int]) -> None:
        before = bytes(self.model.config)
        try:
            for name, value in values.items():
                self.model.put(name, value)
            self.model.changed(frozenset(values))
        except Exception:
            self.model.config[:] = before
            raise
        self._changed = True
        self.log.event("configuration changed", ", ".join(f"{name}={value}" for name, value in values.items()))

    def _apply_deferred(self) -> bool:
        deferred, self._deferred = self._deferred, {}
        if not deferred:
            return False
        try:
            self._apply(deferred)
        except CannotRun as error:  # who asked for it has long been answered
            self.log.event("configuration not changed", str(error))
            return False
        return True

    def notify_config(self) -> None:
        """Send a configuration change notification, now or when it is allowed again."""
        if self.behaviour.may_notify_config():
            self.interrupts.config(self.config_vector)
        elif self.behaviour.remembers_config():
            self._pending_config = True

    def catch_up(self) -> None:
        """After a resume: changes that waited take effect, what was held back is sent, the queues are looked at."""
        if self._apply_deferred():
            self.notify_config()
        self.deliver_held()
        with self.guarded():
            for queue in self.queues:
                queue.thaw()
            self.service_all()
