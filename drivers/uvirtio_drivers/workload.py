"""What every driver and every workload offers.

A workload is traffic whose result proves that nothing was lost or doubled. It is a stepwise object and never a
thread, so that a suspend can fall at any chosen point of it.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from uvirtio.device import Device
from uvirtio.spec.features import Features

__all__ = ["Driver", "Workload", "drain"]


class Workload(Protocol):
    """Traffic in steps. ``submit`` makes requests available, ``kick`` notifies, ``reap`` takes completions."""

    #: Requests made available so far, and requests completed so far.
    submitted: int
    completed: int

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

    def verify(self) -> None:
        """With nothing outstanding: raise :class:`WorkloadFailed` unless everything came back once and undamaged."""

    def proves(self) -> str:
        """What a passed :meth:`verify` says here, in one sentence."""


class Driver(Protocol):
    """A driver of one device type: which features and queues it wants, and what it offers on a running device."""

    #: Virtio device id.
    TYPE: ClassVar[int]
    #: Feature bits of the device type that the driver implements.
    FEATURES: ClassVar[Features]
    #: bit -> bits it requires, within the device type.
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]]

    def __init__(self, device: Device) -> None: ...

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Queues to set up after negotiation: index -> largest size (None: the library's default)."""

    def start(self) -> None:
        """What has to be done after DRIVER_OK (receive buffers, control messages)."""

    def workload(self) -> Workload:
        """A fresh workload."""


def drain(
    device: Device, workload: Workload, timeout: float | None = None, *, doing: str = "draining the workload"
) -> int:
    """Reap until nothing is outstanding; how many completed. Raises :class:`DeviceTimeout` at the deadline."""
    before = workload.completed

    def done() -> bool:
        workload.reap()
        return workload.outstanding == 0

    device.wait_for(done, timeout, doing=doing)
    return workload.completed - before
