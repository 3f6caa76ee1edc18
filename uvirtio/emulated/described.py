"""Device types that are described only: everything that can be seen of them is there, but not what they are for.

Such a device has its id, the feature bits and the configuration that the specification gives to its type, and its
queues. It negotiates, suspends and resumes as every device here. Its queues take buffers and return none.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..spec.devices import Field, device_spec
from ..spec.features import Features
from ..spec.ids import DeviceType, type_name
from .model import DeviceModel, ModelDevice
from .parameters import field_value, number
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["Described", "described"]

#: Fields in which a driver believes when it starts, with values that promise it as little as possible.
_DEFAULTS: dict[int, dict[str, int | str]] = {
    DeviceType.CRYPTO: {"max_dataqueues": 1},
    DeviceType.FS: {"tag": "uvirtio", "num_request_queues": 1},
    DeviceType.MEM: {"region_size": 0, "usable_region_size": 0, "plugged_size": 0, "requested_size": 0},
    DeviceType.PMEM: {"size": 0},
    DeviceType.RPMB: {"capacity": 1},
    DeviceType.SCSI: {"num_queues": 1},
    DeviceType.SOUND: {"jacks": 0, "streams": 0, "chmaps": 0, "controls": 0},
    DeviceType.VSOCK: {"guest_cid": 3},
}
#: The field that says how many queues the type's row has (5.6.4, 5.9.4, 5.11.4).
_ROW_LENGTH: dict[int, str] = {
    DeviceType.CRYPTO: "max_dataqueues",
    DeviceType.FS: "num_request_queues",
    DeviceType.SCSI: "num_queues",
}
_MOST_QUEUES = 64


class Described(DeviceModel):
    """Base of the types whose function is not modelled; :func:`described` makes one."""

    NOTE = "described only: its queues take buffers and return none"

    def __init__(self, values: Mapping[str, bytes]) -> None:
        super().__init__()
        for field in self.spec().fields:
            data = values.get(field.name) or _bytes(field, _default(self.TYPE, field))
            self.config[field.offset : field.offset + field.size] = data
        self.queue_count = self._queues(Features((1 << 128) - 1))
        self.waiting = frozenset(range(self.queue_count))

    def _queues(self, offered: Features) -> int:
        """How many queues there are: those of their own, without those whose feature is not offered, and the row."""
        present = [queue for queue in self.spec().queues if queue.exists(offered)]
        row = self.get(_ROW_LENGTH[self.TYPE]) if self.TYPE in _ROW_LENGTH else 0
        return sum(not queue.step for queue in present) + row

    def attach(self, device: ModelDevice) -> None:
        """See :class:`DeviceModel`: only now is it known which features are offered."""
        super().attach(device)
        del device.queues[self._queues(Features(device.offered)) :]

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        cls.make(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Described:
        """See :class:`DeviceModel`."""
        fields = {field.name: field for field in cls.spec().fields}
        return cls({name: _value(cls.TYPE, fields[name], parameters) for name in parameters})

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: never called, as every queue waits and :meth:`serve` serves none."""
        raise AssertionError(f"{type_name(self.TYPE)} has taken a buffer, though it is described only")


def described(number: DeviceType) -> type[Described]:
    """The class of a device type that is described only; its configuration fields are its parameters."""
    spec = device_spec(number)
    # Of two features that a device should not offer together, the newer one is offered.
    features = tuple(
        bit.number
        for bit in spec.features
        if bit.origin == "spec" and all(bit.number > other for other in bit.excludes)
    )
    attributes = {
        "__module__": __name__,
        "__doc__": f"The {spec.title} (virtio 1.4, {spec.section}), described only.",
        "TYPE": number,
        "features": features,
        "PARAMETERS": {field.name: f"configuration field, {_kind(field)}" for field in spec.fields},
    }
    return type(number.name.title(), (Described,), attributes)


def _kind(field: Field) -> str:
    if field.kind == "text":
        return f"text of up to {field.size} bytes"
    return f"a number of {8 * field.size} bits"


def _default(number: int, field: Field) -> int | str:
    """A value that can be recognised: all flags that have a name, or bytes that count from their offset plus one."""
    chosen = _DEFAULTS.get(number, {}).get(field.name)
    if chosen is not None:
        return chosen
    if field.kind == "text":
        return f"uvirtio {field.name}"
    if field.flags:
        return sum(1 << bit for bit, _ in field.flags)
    if field.values:
        return field.values[0][0]
    return int.from_bytes(bytes(field.offset + at + 1 for at in range(field.size)), "little")


def _bytes(field: Field, value: int | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value.to_bytes(field.size, "little")
    return data.ljust(field.size, b"\0")


def _value(device_type: int, field: Field, parameters: Mapping[str, str]) -> bytes:
    if _ROW_LENGTH.get(device_type) == field.name:
        number(parameters, field.name, 1, 1, _MOST_QUEUES)
    return field_value(parameters, field)
