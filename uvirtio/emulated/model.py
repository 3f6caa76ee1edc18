"""What a device type adds to the common machinery: features, queues, configuration fields, and what requests do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from ..errors import CannotRun
from ..spec.devices import DeviceSpec, Field, device_spec
from ..spec.ids import type_name
from .queue import DeviceQueue
from .ring import Chain
from .seams import DeviceAround

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["DeviceModel", "ModelDevice"]


class _Behaviour(Protocol):
    """What a model asks its device's behaviour."""

    def may_consume(self) -> bool:
        """Whether buffers may be taken from a queue."""


class ModelDevice(DeviceAround, Protocol):
    """What a model sees of the device that it is the type of."""

    #: Feature bits that are offered.
    offered: int
    queues: list[DeviceQueue]

    @property
    def behaviour(self) -> _Behaviour:
        """What says whether the device may work now."""

    def change_config(self, values: Mapping[str, int]) -> None:
        """The device changes its configuration by itself and notifies; while suspended that waits for resume."""


class DeviceModel:
    """Base of all device types; a type with no configuration and no triggers overrides :meth:`request` only."""

    #: Virtio device id.
    TYPE: int
    #: PCI class code.
    CLASS: ClassVar[int] = 0x00FF00
    #: Parameters of the type, with what they mean; ``make`` takes them.
    PARAMETERS: ClassVar[Mapping[str, str]] = {}
    #: What a reader of results has to know about the type, for a description in words.
    NOTE: ClassVar[str] = ""
    #: What is saved of it: attributes whose values are plain, or name their own state.
    STATE: tuple[str, ...] = ("config",)
    #: Numbers of the feature bits of the type that are offered.
    features: tuple[int, ...] = ()
    #: How many queues there are; those in ``waiting`` hold buffers until data comes in.
    queue_count: int = 1
    waiting: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self.config = bytearray(self.spec().config_size)
        self.device: ModelDevice

    @classmethod
    def spec(cls) -> DeviceSpec:
        """What the specification fixes for the type."""
        return device_spec(cls.TYPE)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """Check the parameters of the type. Raises :class:`LocatorError`."""

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> DeviceModel:
        """Make one from its parameters. Raises :class:`LocatorError` or :class:`CannotRun`."""
        return cls()

    def with_fields(self, values: Mapping[str, bytes]) -> Self:
        """The same with other values in configuration fields; what it does goes by its parameters, not by these."""
        for name, data in values.items():
            field = self.field(name)
            self.config[field.offset : field.offset + field.size] = data
        return self

    def attach(self, device: ModelDevice) -> None:
        """Called once, when the device around it is complete."""
        self.device = device

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """Carry out a request and return the bytes written to its writable part."""
        raise NotImplementedError

    def has_room(self, queue: DeviceQueue) -> bool:
        """Whether what the next request of this queue brings has a place. Until it has, requests stay in the ring.

        Who says no calls ``queue.later()`` when there is.
        """
        return True

    def serve(self, queue: DeviceQueue) -> None:
        """Put waiting data into the buffers of a waiting queue, as far as both are there."""

    def config_written(self, field: Field) -> None:
        """The driver wrote a writable field; its bytes are in ``config`` already."""

    def change(self) -> Mapping[str, int] | None:
        """A change of the configuration that a host makes at run time; None where the type has none."""
        return None

    def disturb(self) -> Mapping[str, int] | None:
        """A change that nobody asked for and that does no harm, for a device that must not change anything."""
        return self.change()

    def changed(self, names: frozenset[str]) -> None:
        """The device (or its host) changed these fields; their new values are in ``config``."""

    def live(self) -> None:
        """The driver set DRIVER_OK."""

    def queue_reset(self, queue: DeviceQueue) -> None:
        """One queue was reset: its buffers are gone."""

    def reset(self) -> None:
        """The device was reset."""

    def watch(self, loop: Loop) -> None:
        """Watch descriptors for data from outside; only a served device does."""

    def close(self) -> None:
        """Release files and sockets."""

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """What the host side can ask this type to do, by name."""
        return {}

    # Helpers for the types.

    def field(self, name: str) -> Field:
        """The field of that name. Raises :class:`CannotRun` where the type has none."""
        for field in self.spec().fields:
            if field.name == name:
                return field
        raise CannotRun(f"{type_name(self.TYPE)} has no configuration field {name!r}")

    def get(self, name: str) -> int:
        """The value of a field, little-endian."""
        field = self.field(name)
        return int.from_bytes(self.config[field.offset : field.offset + field.size], "little")

    def put(self, name: str, value: int) -> None:
        """Set the value of a field, without telling anybody."""
        field = self.field(name)
        self.config[field.offset : field.offset + field.size] = value.to_bytes(field.size, "little")
