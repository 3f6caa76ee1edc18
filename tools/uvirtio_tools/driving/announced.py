"""What a device announces by itself while something else is done with it: a link that goes down, a new capacity."""

from __future__ import annotations

from uvirtio.device import Device
from uvirtio.errors import ConfigurationUnstable
from uvirtio.spec.devices import fields_within
from uvirtio.spec.ids import DeviceType
from uvirtio.spec.status import GONE, Status, describe

__all__ = ["Announcements"]


class Announcements:
    """Compares a running device with what it was; the driver's own fields are left out.

    The first look is taken when it is made. Where the configuration never holds still there is nothing to compare. Raises
    :class:`~uvirtio.errors.DeviceError` as any other read.
    """

    def __init__(self, device: Device) -> None:
        assert device.negotiated is not None, "the device was started"
        self._device = device
        accepted = device.negotiated.accepted
        self._fields = [
            field
            for field in fields_within(device.identity.type, accepted, device.configuration.length)
            if not field.writable
            and device.identity.type != DeviceType.INPUT  # where they answer what the driver selects
        ]
        self._began = device.clock.now()
        self._told = device.notifications.config
        self._broken = False
        self._known = self._read()

    def _read(self) -> dict[str, bytes]:
        piece = self._device.configuration.piece
        try:
            return {field.name: piece(field.offset, field.size) for field in self._fields}
        except ConfigurationUnstable:
            return {}

    @property
    def notified(self) -> bool:
        """Whether a configuration change was notified since the last look."""
        return self._device.notifications.config > self._told

    def news(self) -> list[str]:
        """What is not as it was at the last look, as sentences with the time since the first one."""
        device, found = self._device, []
        after = f"after {device.clock.now() - self._began:.1f} s"
        status = device.status.read()
        self._told = device.notifications.config
        if status == GONE:
            return []  # whoever uses it will say so
        if status & Status.DEVICE_NEEDS_RESET and not self._broken:
            self._broken = True
            found.append(f"{after} the device set DEVICE_NEEDS_RESET (status {describe(status)})")
        now = self._read()
        for field in self._fields:
            was, is_ = self._known.get(field.name), now.get(field.name)
            if was is not None and is_ is not None and was != is_:
                found.append(f"{after} {field.name} changed from {field.decode(was)[1]} to {field.decode(is_)[1]}")
        self._known |= now
        return found
