"""Device-specific configuration by the names that the specification gives its fields."""

from __future__ import annotations

from dataclasses import replace

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, NotOffered
from uvirtio.spec.devices import DeviceSpec, Field, describe_feature
from uvirtio.spec.features import Features

__all__ = ["Fields"]


class Fields:
    """The configuration fields of a negotiated device: ``fields.number("capacity")``, ``fields.data("mac")``.

    Every field is read in elements of its own width (4.1.3.1), and one that takes several reads again until the generation
    held still (2.5.1).
    """

    def __init__(self, device: Device, spec: DeviceSpec) -> None:
        self._device = device
        self._by_name = {field.name: field for field in spec.fields}
        self._type = spec.number

    def __contains__(self, name: str) -> bool:
        """Whether the field exists with what was negotiated."""
        negotiated = self._device.negotiated
        return self._by_name[name].exists(negotiated.accepted if negotiated else Features())

    def _field(self, name: str) -> Field:
        if name not in self:
            field = self._by_name[name]
            needed = " or ".join(describe_feature(self._type, bit).name for bit in field.features)
            raise NotOffered(f"the configuration field {name} exists only with {needed}, which was not negotiated")
        field = self._by_name[name]
        transport = self._device.transport
        if field.offset + field.size > transport.config_length:
            there = transport.config_missing or f"the device configuration has only {transport.config_length}"
            raise DeviceMisbehaved(
                f"{self._device.function.locator}: the field {name} takes bytes {field.offset} to "
                f"{field.offset + field.size - 1} of the device configuration, but {there}"
            )
        return field

    def data(self, name: str, count: int | None = None) -> bytes:
        """The field's bytes as they stand in the configuration; of an array only the first ``count`` elements.

        Raises :class:`NotOffered` for a field that does not exist without a feature, :class:`DeviceMisbehaved` when it lies
        outside, :class:`ConfigurationUnstable` when it does not hold still within the device's time limit.
        """
        field = self._field(name)
        if count is not None and count < field.count:
            field = replace(field, count=count)
        return self._device.configuration.piece(field.offset, field.size, what=f"the field {name}")

    def number(self, name: str) -> int:
        """A field that is one number. Raises like :meth:`data`."""
        return int.from_bytes(self.data(name), "little")

    def values(self) -> dict[str, int | str]:
        """All fields that exist here: numbers, text, and other data in hex."""
        result: dict[str, int | str] = {}
        for name, field in self._by_name.items():
            if name not in self:
                continue
            data = self.data(name)
            if field.kind == "mac":
                result[name] = data.hex(":")
            elif field.kind == "text":
                result[name] = data.rstrip(b"\0").decode(errors="replace")
            elif field.count > 1:
                result[name] = data.hex()
            else:
                result[name] = int.from_bytes(data, "little")
        return result
