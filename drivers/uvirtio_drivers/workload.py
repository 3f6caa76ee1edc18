"""What every driver and every workload offers.

A workload is traffic whose result proves that nothing was lost or doubled. It is a stepwise object and never a
thread, so that a suspend can fall at any chosen point of it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, DeviceTimeout, RequestFailed, WorkloadFailed
from uvirtio.spec.devices import Field, device_spec
from uvirtio.spec.features import Features

__all__ = ["WritableField", "Driver", "Workload", "discard", "drain"]

#: Seconds within which a device that was only asleep goes on.
_AWAKE = 1.0
#: Bytes of what nobody wants that are taken at once.
_AT_ONCE = 1 << 16


def discard(device: Device) -> None:
    """Take what the device has sent to this process's end of it, where there is one: nobody else does.

    Once nothing more fits there, a host side that drops nothing lets the buffers wait.
    """
    peer = device.function.surroundings.peer
    if peer is not None:
        with suppress(OSError):
            while peer.recv(_AT_ONCE, socket.MSG_DONTWAIT):
                pass


class Workload(Protocol):
    """Traffic in steps. ``submit`` makes requests available, ``kick`` notifies, ``reap`` takes completions."""

    #: Options that :meth:`of` understands, by keyword: ``scratch`` (a range of 512-byte sectors that may be written),
    #: ``peer`` (``echo``: whatever is sent comes back), ``pairs`` (how many queue pairs carry traffic).
    OPTIONS: ClassVar[frozenset[str]]
    #: Requests made available so far, and requests completed so far.
    submitted: int
    completed: int

    # Only beside *args does a type checker let **options stand for the keywords that a class knows.
    @classmethod
    def of(cls, driver: Any, *args: Any, **options: Any) -> Self:
        """A fresh one on a started driver of the type. The keyword arguments are :attr:`OPTIONS`; all may be left out.

        Raises :class:`UsageError` for an option that cannot be used here, :class:`CannotRun` where there is nothing to
        work with, :class:`DeviceTimeout`.
        """

    @classmethod
    def harmless(cls, driver: Any) -> Self:
        """One that can be submitted even before the device is live: it takes no request to make, and writes no data.

        Where that is true of what :meth:`of` makes, it is the same.
        """

    @property
    def outstanding(self) -> int:
        """Requests made available that the device still *owes* an answer."""

    @property
    def room(self) -> int:
        """How many more requests can be submitted now."""

    def submit(self, count: int | None = None) -> int:
        """Make requests available without notifying (None: as many as there is room for); how many were."""

    def kick(self) -> None:
        """Notify the queues that have something outstanding, as far as the device wants to be notified."""

    def reap(self) -> int:
        """Take what is completed now, checking each; how many. Raises :class:`WorkloadFailed` or DeviceMisbehaved."""

    def leave(self) -> int:
        """Publish, and do not notify, one harmless request on each queue that :meth:`submit` leaves out; how many wait there.

        One that is there already is not joined by another.
        """

    def visit(self) -> int:
        """Notify what :meth:`leave` has left, or leaves now, and wait for each; how many.

        Raises :class:`DeviceTimeout` and whatever else the driver finds wrong.
        """

    def verify(self) -> None:
        """With nothing outstanding: raise :class:`WorkloadFailed` unless everything came back once and undamaged."""

    def close(self) -> None:
        """Give the memory back. Only with nothing outstanding, or once the device has been reset."""

    def proves(self) -> str:
        """What a passed :meth:`verify` says here, in one sentence."""


class WritableField(NamedTuple):
    """A configuration field that a driver may write without harm, to see whether a write takes.

    ``values``: lawful ones, of which one differs from whatever the field holds. Writing the old value again restores it.
    """

    field: Field
    values: tuple[int, ...]

    @classmethod
    def of(cls, device_type: int, name: str, *values: int) -> WritableField:
        """The field of that name in the specification's table of a device type."""
        field = next(field for field in device_spec(device_type).fields if field.name == name)
        assert field.writable, f"{name} is not writable"
        return cls(field, values)

    def other(self, current: int) -> int:
        """A lawful value that the field does not hold now."""
        return next(value for value in self.values if value != current)


class Driver(Protocol):
    """A driver of one device type: which features and queues it wants, and what it offers on a running device."""

    #: Virtio device id.
    TYPE: ClassVar[int]
    #: Feature bits of the device type that the driver implements.
    FEATURES: ClassVar[Features]
    #: bit -> bits it requires, within the device type.
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]]
    #: A configuration field that may be written to see whether it takes; None where the type has none.
    WRITABLE: ClassVar[WritableField | None]

    def __init__(self, device: Device) -> None: ...

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Queues to set up after negotiation: index -> largest size (None: the library's default)."""

    def start(self) -> None:
        """What has to be done after DRIVER_OK (receive buffers, control messages)."""


def drain(
    device: Device, workload: Workload, timeout: float | None = None, *, doing: str = "draining the workload"
) -> int:
    """Reap until nothing is outstanding; how many completed.

    Raises :class:`DeviceTimeout` at the deadline, after one more notification that the device may not have asked for. The
    message says so where it goes on then, and what is wrong with what it does.
    """
    before = workload.completed

    def done() -> bool:
        workload.reap()
        return workload.outstanding == 0

    try:
        device.wait_for(done, timeout, doing=doing)
    except DeviceTimeout as error:
        try:
            if not _wakes(device, workload):
                raise
            more = (
                "Notified once more, it went on: it takes longer than that, or it slept over buffers that were available and had "
                "not asked to be notified of them, as it must (virtio 1.4, 2.7.10 and 2.8.14). QEMU's network device does so on "
                "packed rings with EVENT_IDX; --without EVENT_IDX goes around it"
            )
        except (DeviceMisbehaved, RequestFailed, WorkloadFailed) as later:
            more = f"Notified once more, it went on, wrongly: {later}"
        raise DeviceTimeout(f"{error}. {more}", value=error.value, seconds=error.seconds, reads=error.reads) from error
    return workload.completed - before


def _wakes(device: Device, workload: Workload) -> bool:
    """Notify every queue that holds buffers, wanted or not; whether something comes back."""
    for queue in device.queues.values():
        if queue.outstanding and not queue.state().held:
            queue.kick()
    before = workload.completed

    def going() -> bool:
        workload.reap()
        return workload.completed > before

    try:
        device.wait_for(going, min(_AWAKE, device.timeout), doing="waiting after one more notification")
    except DeviceTimeout:
        return False
    return True
