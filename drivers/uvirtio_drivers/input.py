"""Input device (virtio 1.4, 5.8): what it is, is asked through its configuration; events come and status goes over queues."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, NamedTuple

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved
from uvirtio.spec.devices import input as spec
from uvirtio.spec.features import Features
from uvirtio.spec.formats.input import ABS_INFO, ANSWER_LENGTH, DEVICE_IDS, EVENT, Select
from uvirtio.spec.ids import DeviceType

from .buffers import ReceiveBuffers, SendBuffers
from .fields import Fields
from .workload import WritableField

__all__ = ["AbsInfo", "DeviceIds", "Event", "Input"]

EVENTQ, STATUSQ = 0, 1
DEPTH = 32

_FIELDS = {field.name: field for field in spec.SPEC.fields}


class Event(NamedTuple):
    """One event, as the Linux input layer numbers it."""

    type: int
    code: int
    value: int


class DeviceIds(NamedTuple):
    """Who made the device."""

    bus_type: int
    vendor: int
    product: int
    version: int


class AbsInfo(NamedTuple):
    """Range and resolution of an absolute axis."""

    minimum: int
    maximum: int
    fuzz: int
    flat: int
    resolution: int


class Input:
    """The driver: ``name``, ``serial``, ``ids``, ``event_bits`` ...; ``events()``, ``read_event()``, ``send_status()``."""

    TYPE: ClassVar[int] = DeviceType.INPUT
    FEATURES: ClassVar[Features] = Features()
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = {}
    WRITABLE: ClassVar[WritableField | None] = WritableField.of(
        DeviceType.INPUT, "select", Select.UNSET, Select.ID_NAME
    )

    def __init__(self, device: Device) -> None:
        """On a device whose queues are set up."""
        self.device = device
        self.fields = Fields(device, spec.SPEC)
        self._receiving = ReceiveBuffers(device, device.queue(EVENTQ), EVENT.size, DEPTH)
        status = device.queue(STATUSQ)
        # QEMU gives status buffers back with the length that it has read, although a length says what was written.
        status.cut_lengths()
        self.sending = SendBuffers(device, status, EVENT.size, DEPTH)
        self._waiting: deque[Event] = deque()

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Event queue and status queue."""
        return {EVENTQ: 64, STATUSQ: 64}

    def start(self) -> None:
        """Give the device buffers for its events."""
        self._receiving.post()

    # -- what the device is ------------------------------------------------------------------------------------

    def query(self, select: int, subsel: int = 0) -> bytes:
        """What the device says about one thing, up to 128 bytes; empty where it says nothing.

        Raises :class:`DeviceMisbehaved` for an impossible size, :class:`SuspendedError` (asking writes the configuration, D5).
        """
        for name, value in (("select", select), ("subsel", subsel)):
            self.device.configuration.write(_FIELDS[name].offset, _FIELDS[name].width, value)
        size = self.fields.number("size")
        if size > ANSWER_LENGTH:
            raise DeviceMisbehaved(
                f"{self.device.function.locator}: the answer to query {select:#x}/{subsel:#x} is said to have {size} bytes; there is "
                f"room for {ANSWER_LENGTH} (virtio 1.4, 5.8.4)"
            )
        return self.fields.data("u", size) if size else b""

    @property
    def name(self) -> str:
        """The device's name."""
        return _text(self.query(Select.ID_NAME))

    @property
    def serial(self) -> str:
        """The device's serial number, empty where it has none."""
        return _text(self.query(Select.ID_SERIAL))

    @property
    def ids(self) -> DeviceIds | None:
        """Who made it, None where it does not say. Raises :class:`DeviceMisbehaved` for an answer that is cut off."""
        data = self._structure(Select.ID_DEVIDS, 0, DEVICE_IDS.size)
        return DeviceIds(*DEVICE_IDS.unpack(data)) if data else None

    @property
    def properties(self) -> frozenset[int]:
        """Numbers of the input properties that it has."""
        return _bits(self.query(Select.PROP_BITS))

    def event_bits(self, event_type: int) -> frozenset[int]:
        """Codes of an event type that it knows; empty where it does not know the type."""
        return _bits(self.query(Select.EV_BITS, event_type))

    def abs_info(self, axis: int) -> AbsInfo | None:
        """Range of an absolute axis, None where it has none. Raises :class:`DeviceMisbehaved`."""
        data = self._structure(Select.ABS_INFO, axis, ABS_INFO.size)
        return AbsInfo(*ABS_INFO.unpack(data)) if data else None

    def _structure(self, select: Select, subsel: int, size: int) -> bytes:
        data = self.query(select, subsel)
        if data and len(data) < size:
            raise DeviceMisbehaved(
                f"{self.device.function.locator}: the answer to {select.name} has {len(data)} bytes instead of {size} (5.8.4)"
            )
        return data[:size]

    # -- what happens ------------------------------------------------------------------------------------------

    def events(self) -> list[Event]:
        """Events that have come, without waiting; buffers go back to the device while it is running.

        Raises :class:`DeviceMisbehaved` for a buffer that does not hold one event.
        """
        self._collect()
        events = list(self._waiting)
        self._waiting.clear()
        return events

    def read_event(self, timeout: float | None = None) -> Event:
        """The next event. Raises :class:`DeviceTimeout`, :class:`DeviceMisbehaved`."""

        def arrived() -> bool:
            self._collect()
            return bool(self._waiting)

        self.device.wait_for(arrived, timeout, doing="waiting for an input event")
        return self._waiting.popleft()

    def _collect(self) -> None:
        for data in self._receiving.take():
            if len(data) != EVENT.size:
                raise DeviceMisbehaved(
                    f"{self.device.function.locator}: an event buffer was used with length {len(data)}; an event has {EVENT.size} bytes "
                    "(virtio 1.4, 5.8.6)"
                )
            self._waiting.append(Event(*EVENT.unpack(data)))
        self._receiving.post()

    def send_status(self, event: Event, timeout: float | None = None) -> None:
        """Tell the device something (an LED), and wait until it has taken it. Raises :class:`DeviceTimeout`, SuspendedError."""
        self.sending.put(EVENT.pack(event.type, event.code, event.value))
        self.sending.publish()

        def taken() -> bool:
            self.sending.reap()
            return not self.sending.outstanding

        self.device.wait_for(taken, timeout, doing="sending a status event")

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        self._receiving.close()
        self.sending.close()


def _text(data: bytes) -> str:
    """What a device calls itself; QEMU counts the NUL at the end of its names too."""
    return data.rstrip(b"\0").decode(errors="replace")


def _bits(data: bytes) -> frozenset[int]:
    return frozenset(8 * at + bit for at, byte in enumerate(data) for bit in range(8) if byte >> bit & 1)
