"""What a device announces by itself while something else is done with it: a link that goes down, a new capacity."""

from __future__ import annotations

from uvirtio.device import Device
from uvirtio.spec.devices import device_spec
from uvirtio.spec.devices.model import Field
from uvirtio.spec.ids import DeviceType
from uvirtio.spec.status import GONE, Status, describe

__all__ = ["Announcements"]


class Announcements:
    """Compares a running device with what it was; the driver's own fields are left out.

    The first look is taken when it is made. Raises :class:`~uvirtio.errors.DeviceError` as any read of the configuration.
    """

    def __init__(self, device: Device) -> None:
        assert device.negotiated is not None, "the device was started"
        self._device = device
        accepted, length = device.negotiated.accepted, device.configuration.length
        self._fields = [
            field
            for field in device_spec(device.identity.type).fields
            if device.identity.type != DeviceType.INPUT  # its fields answer what the driver selects
            and field.exists(accepted)
            and not field.writable
            and not field.counted_by
            and field.offset + field.size <= length
        ]
        self._began = device.clock.now()
        self._told = device.notifications.config
        self._broken = False
        self._known = self._read()

    def _read(self) -> dict[str, bytes]:
        piece = self._device.configuration.piece
        return {field.name: piece(field.offset, field.size) for field in self._fields}

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
            was, is_ = self._known[field.name], now[field.name]
            if was != is_:
                found.append(f"{after} {field.name} changed from {_shown(field, was)} to {_shown(field, is_)}")
        self._known = now
        return found


def _shown(field: Field, data: bytes) -> str:
    if field.count > 1 or field.kind in ("mac", "bytes", "text"):
        return data.hex(" ")
    value = int.from_bytes(data, "little")
    names = dict(field.values) | {1 << bit: name for bit, name in field.flags}
    if field.flags:
        return " | ".join(name for bit, name in names.items() if value & bit) or "0"
    return names.get(value, str(value))
