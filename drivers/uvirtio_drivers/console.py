"""Console device, also called virtio-serial (virtio 1.4, 5.3): one port, or several with control messages about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceMisbehaved, DeviceTimeout, NotOffered
from uvirtio.spec.devices import console as spec
from uvirtio.spec.features import Features
from uvirtio.spec.formats.console import CONTROL, RESIZE, Event
from uvirtio.spec.ids import DeviceType
from uvirtio.status import Phase

from .buffers import ReceiveBuffers, SendBuffers
from .console_port import Port
from .fields import Fields
from .workload import WritableField

__all__ = ["Console"]

CONTROL_RECEIVEQ, CONTROL_TRANSMITQ = 2, 3
#: Most ports whose queues are set up; a device may have more.
PORTS = 32
#: Longest control message that is taken, name included, and buffers for them.
_MESSAGE, _MESSAGES = 512, 32


def port_queues(number: int) -> tuple[int, int]:
    """Receive and transmit queue of a port (5.3.2): the control queues lie between port 0 and port 1."""
    return (0, 1) if number == 0 else (2 * number + 2, 2 * number + 3)


class Console:
    """The driver: ``ports`` (number -> :class:`Port`), kept by the device's control messages where MULTIPORT was negotiated."""

    TYPE: ClassVar[int] = DeviceType.CONSOLE
    FEATURES: ClassVar[Features] = Features.of(spec.SIZE, spec.MULTIPORT, spec.EMERG_WRITE)
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = spec.SPEC.dependencies
    # emerg_wr can be written, but prints a character and does not read back.
    WRITABLE: ClassVar[WritableField | None] = None

    def __init__(self, device: Device) -> None:
        """On a device whose queues are set up."""
        self.device = device
        self.fields = Fields(device, spec.SPEC)
        self.ports: dict[int, Port] = {}
        #: Ports that the device has removed again or not added yet; the buffers that it has of theirs stay with it.
        self._aside: dict[int, Port] = {}
        self._replies: deque[bytes] = deque()
        self.multiport = CONTROL_RECEIVEQ in device.queues
        if self.multiport:
            self._messages = ReceiveBuffers(device, device.queue(CONTROL_RECEIVEQ), _MESSAGE, _MESSAGES)
            self._control = SendBuffers(device, device.queue(CONTROL_TRANSMITQ), CONTROL.size, _MESSAGES)
        else:
            self.ports[0] = self._port(0, host_open=True)

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Port 0's queues; with MULTIPORT the control queues and those of all ports, at most :data:`PORTS`.

        Raises :class:`DeviceMisbehaved` for an impossible ``max_nr_ports``.
        """
        fields = Fields(device, spec.SPEC)
        if "max_nr_ports" not in fields:
            return {0: 64, 1: 64}
        ports, there = fields.number("max_nr_ports"), device.transport.queue_count()
        if ports < 1 or max(port_queues(ports - 1)) >= there:
            raise DeviceMisbehaved(
                f"{device.function.locator}: max_nr_ports says {ports} with {there} virtqueues; every port has two, and there are "
                "two for control (virtio 1.4, 5.3.2)"
            )
        numbers = [0, 1, CONTROL_RECEIVEQ, CONTROL_TRANSMITQ]
        for port in range(1, min(ports, PORTS)):
            numbers += port_queues(port)
        return dict.fromkeys(numbers, 64)

    def start(self) -> None:
        """Give the device its receive buffers, and say that the driver is ready."""
        if self.multiport:
            self._messages.post()
            self._reply(0, Event.DEVICE_READY, 1)
            self.service()
        else:
            self.ports[0].post()

    def _port(self, number: int, *, host_open: bool) -> Port:
        receive, transmit = port_queues(number)
        return Port(self.device, number, self.device.queue(receive), self.device.queue(transmit), host_open=host_open)

    # -- control messages --------------------------------------------------------------------------------------

    def service(self) -> int:
        """Take the control messages that have come, answer them, and give receive buffers back; how many there were.

        Raises :class:`DeviceMisbehaved` for a message that no device may send.
        """
        if not self.multiport:
            return 0
        messages = self._messages.take()
        for message in messages:
            self._handle(message)
        if self.device.phase is Phase.RUNNING:
            self._messages.post()
            self._control.reap()
            while self._replies and self._control.room:
                self._control.put(self._replies.popleft())
            self._control.publish()
            for port in self.ports.values():
                port.post()
        return len(messages)

    @property
    def unanswered(self) -> int:
        """Control messages of ours that the device has not used yet, or not been sent."""
        return self._control.outstanding + len(self._replies) if self.multiport else 0

    def _reply(self, port: int, event: Event, value: int) -> None:
        self._replies.append(CONTROL.pack(port, event, value))

    def _handle(self, message: bytes) -> None:
        where = f"{self.device.function.locator}: console"
        if len(message) < CONTROL.size:
            raise DeviceMisbehaved(
                f"{where}: a control message has {len(message)} bytes; its head alone has {CONTROL.size}"
            )
        number, event, value = CONTROL.unpack_from(message)
        rest = message[CONTROL.size :]
        if event == Event.PORT_ADD:
            self._add(number, where)
            return
        if event in (Event.DEVICE_READY, Event.PORT_READY):
            raise DeviceMisbehaved(
                f"{where}: the device sent {Event(event).name}, which is the driver's to send (5.3.6.2)"
            )
        if event not in set(Event):
            return  # of a later specification
        port = self.ports.get(number)
        if port is None:
            raise DeviceMisbehaved(
                f"{where}: {Event(event).name} is about port {number}, which was not added; there are {sorted(self.ports)}"
            )
        if event == Event.PORT_REMOVE:
            self._aside[number] = self.ports.pop(number)
        elif event == Event.CONSOLE_PORT:
            port.console = True
            self._reply(number, Event.PORT_OPEN, 1)
        elif event == Event.PORT_OPEN:
            port.host_open = bool(value)
        elif event == Event.PORT_NAME:
            # Not to be terminated, but some devices do.
            port.name = rest.rstrip(b"\0").decode(errors="replace")
        elif event == Event.RESIZE:
            if len(rest) < RESIZE.size:
                raise DeviceMisbehaved(
                    f"{where}: RESIZE of port {number} carries {len(rest)} bytes instead of {RESIZE.size}"
                )
            port.size = RESIZE.unpack_from(rest)

    def _add(self, number: int, where: str) -> None:
        if number in self.ports:
            raise DeviceMisbehaved(f"{where}: the device adds port {number}, which is there already (5.3.6.2)")
        most = self.fields.number("max_nr_ports")
        if number >= most:
            raise DeviceMisbehaved(f"{where}: the device adds port {number}, but max_nr_ports is {most} (5.3.6.2)")
        if number >= PORTS:
            self._reply(number, Event.PORT_READY, 0)
            return
        if number in self._aside:
            self.ports[number] = self._aside.pop(number)
            self.ports[number].forget()
        else:
            self.ports[number] = self._port(number, host_open=False)
        self._reply(number, Event.PORT_READY, 1)
        # Open on our side: otherwise the host's bytes would not be passed on.
        self._reply(number, Event.PORT_OPEN, 1)

    def prepared_port(self, number: int) -> Port:
        """A port whose queues are set up, even before the device adds it.

        Should it do so, the port is this one, with these buffers.
        """
        if number in self.ports:
            return self.ports[number]
        if number not in self._aside:
            self._aside[number] = self._port(number, host_open=False)
        return self._aside[number]

    # -- what a person wants -----------------------------------------------------------------------------------

    def wait_for_port(self, wanted: Callable[[Port], bool] = lambda _port: True, timeout: float | None = None) -> Port:
        """The first port that is as wanted. Raises :class:`CannotRun` when none turns up in time."""

        def found() -> bool:
            self.service()
            return not self.unanswered and any(wanted(port) for port in self.ports.values())

        try:
            self.device.wait_for(found, timeout, doing="waiting for a console port")
        except DeviceTimeout as error:
            raise CannotRun(
                f"{self.device.function.locator}: no such console port within {error.seconds:.3g} s; "
                f"there are {sorted(self.ports.values(), key=lambda port: port.number)}"
            ) from error
        return next(port for _, port in sorted(self.ports.items()) if wanted(port))

    def emergency_write(self, character: int) -> None:
        """Print one character (0-255) without a queue. Raises :class:`NotOffered` without EMERG_WRITE."""
        if "emerg_wr" not in self.fields:
            raise NotOffered(
                f"{self.device.function.locator}: there is no emerg_wr: CONSOLE_F_EMERG_WRITE was not negotiated"
            )
        field = next(field for field in spec.SPEC.fields if field.name == "emerg_wr")
        self.device.configuration.write(field.offset, field.width, character & 0xFF)

    @property
    def size(self) -> tuple[int, int] | None:
        """Columns and rows of port 0 as the configuration says; None without SIZE."""
        if "cols" not in self.fields:
            return None
        return self.fields.number("cols"), self.fields.number("rows")

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        if self.multiport:
            self._messages.close()
            self._control.close()
        for port in (*self.ports.values(), *self._aside.values()):
            port.close()
