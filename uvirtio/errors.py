"""The one tree of exceptions.

Every message says what was seen, what was expected and what to do. The four branches are what a caller can
act on; the command line maps them to its exit statuses:

- :class:`UsageError`: the request cannot be understood or is out of range (2).
- :class:`CannotRun`: this machine or this device cannot do it now (3).
- :class:`NotOffered`: the device lacks the feature that was asked for, so there is nothing to judge (4).
- :class:`DeviceError`: the device did something it must not do, failed, or went away (1).
"""

from __future__ import annotations

__all__ = [
    "CannotRun",
    "ConfigurationUnstable",
    "DeviceBusy",
    "DeviceError",
    "DeviceGone",
    "DeviceHangs",
    "DeviceMisbehaved",
    "DeviceNeedsReset",
    "DeviceTimeout",
    "DriverMisuse",
    "FrameTooLong",
    "InUse",
    "LocatorError",
    "ModuleMissing",
    "NegotiationFailed",
    "NoSuchDevice",
    "NotOffered",
    "NotVirtio",
    "PastTheEnd",
    "PrivilegeMissing",
    "QemuDied",
    "QueueFull",
    "ReadOnly",
    "RequestFailed",
    "RequestUnsupported",
    "SnapshotError",
    "SuspendedError",
    "Unaligned",
    "UsageError",
    "UvirtioError",
    "WorkloadFailed",
]


class UvirtioError(Exception):
    """Root of everything that uvirtio raises on purpose."""


class UsageError(UvirtioError):
    """The request itself is wrong: an argument, a locator, a file that is not what it should be."""


class LocatorError(UsageError):
    """A locator that cannot be understood, or names an unknown parameter. The message carries the grammar."""


class PastTheEnd(UsageError):
    """A request reaches beyond the end of the device."""


class Unaligned(UsageError):
    """A length or a position is not a multiple of the device's unit."""


class FrameTooLong(UsageError):
    """A frame is larger than the device's MTU allows."""


class SnapshotError(UsageError):
    """A snapshot or result file is damaged or of a version that this release does not read."""


class CannotRun(UvirtioError):
    """The machine, not the request, is in the way. The message says what to do about it."""


class PrivilegeMissing(CannotRun):
    """An operation needs root, a capability, or a system that is not locked down."""


class NoSuchDevice(CannotRun):
    """No PCI function (or socket, or QEMU) at the place that the locator names."""


class ReadOnly(CannotRun):
    """The device is read-only, and something was to be written."""


class NotVirtio(CannotRun):
    """There is a PCI function, but it is not a virtio device, or it has no usable virtio structures."""


class DeviceBusy(CannotRun):
    """Another process drives this function: its lock is held."""


class InUse(CannotRun):
    """The device carries something alive (mount, swap, network interface, console). ``--force`` overrides."""


class ModuleMissing(CannotRun):
    """A kernel module is not loaded and cannot be loaded."""


class QemuDied(CannotRun):
    """The QEMU that was started for a device ended or fell silent. That says nothing about the device."""


class NotOffered(UvirtioError):
    """The device does not offer the feature that was asked for; it was not judged."""


class DriverMisuse(UvirtioError):
    """The library was asked for something that the specification forbids a driver to do."""


class SuspendedError(DriverMisuse):
    """A driver duty forbids this operation while the device is suspended or being suspended (D3, D4, D5, D6)."""


class QueueFull(DriverMisuse):
    """More descriptors were asked for than are free."""


class DeviceError(UvirtioError):
    """The device failed, vanished, or broke the specification.

    ``rule``: which rule that breaks, as the statement in the catalogue calls it (``used id``, ``used length``, ``used index``,
    ``order``, ``descriptor``, ``flags`` …); empty where it is none of these.
    """

    def __init__(self, message: str, *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


class DeviceTimeout(DeviceError):
    """A bounded wait ran out. Carries the last value, the seconds waited and the number of reads."""

    def __init__(self, message: str, *, value: int | None = None, seconds: float = 0.0, reads: int = 0) -> None:
        super().__init__(message)
        self.value = value
        self.seconds = seconds
        self.reads = reads


class DeviceGone(DeviceError):
    """Registers and configuration space read all-ones, or the connection closed: the device was removed."""


class DeviceDied(DeviceGone):
    """Whoever has the device ended by itself over it: QEMU aborted, crashed, or exited with an error.

    ``over``: "suspend" or "resume", where it was asked for that; else empty.
    """

    over = ""


class DeviceHangs(DeviceDied, DeviceTimeout):
    """Whoever has the device does not answer an access any more, and nobody has stopped it: its model of the device hangs."""


class DeviceNeedsReset(DeviceError):
    """The device set DEVICE_NEEDS_RESET (virtio 1.4, 2.1.2)."""


class NegotiationFailed(DeviceError):
    """FEATURES_OK did not stick. The message names the masks that were offered and written."""


class DeviceMisbehaved(DeviceError):
    """The device said something impossible: a used id, a length, an index, an offset."""


class RequestFailed(DeviceError):
    """The device answered a request properly, with an error."""


class RequestUnsupported(RequestFailed):
    """The device answered that it does not know this kind of request."""


class ConfigurationUnstable(DeviceError):
    """The configuration generation kept changing for as long as we were willing to read."""


class WorkloadFailed(DeviceError):
    """A buffer was lost, doubled or damaged."""
