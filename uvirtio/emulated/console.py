"""The console device (virtio 1.4, 5.3): ports with a byte stream each way, and the control queues that manage them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from ..errors import CannotRun, LocatorError
from ..spec.devices import Field
from ..spec.devices import console as bits
from ..spec.formats.console import CONTROL, RESIZE, Event
from ..spec.ids import DeviceType
from .backlog import Backlog
from .console_stream import CROWDED, MOST, Stream
from .memory import DriverFault
from .model import DeviceModel
from .parameters import number
from .queue import DeviceQueue
from .ring import Chain

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Console"]

#: Indices of the control queues; those of port n > 0 come in pairs behind them (5.3.2).
_CONTROL_RECEIVE, _CONTROL_TRANSMIT = 2, 3
#: Bytes of memory for control messages that wait.
_MESSAGES = 1 << 18


class _Port:
    """One port: what waits to be received by the driver, and whether both ends are open."""

    STATE = ("incoming", "received", "guest_open")

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.incoming = bytearray()
        self.received = 0
        self.reset()

    @property
    def receive_queue(self) -> int:
        return 0 if self.number == 0 else 2 * self.number + 2

    def reset(self) -> None:
        self.incoming.clear()
        self.guest_open = False


class Console(DeviceModel):
    """``ports`` ports; what the driver writes to a port comes back on it, or goes to a UNIX socket (port 0)."""

    TYPE = DeviceType.CONSOLE
    CLASS = 0x078000
    STATE = ("config", "ports", "_messages", "_held_back")
    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "ports": "number of ports (default 2)",
        "peer": "echo (default), sink, or stream:PATH for port 0, a UNIX socket to connect to",
        "cols": "columns (default 80)",
        "rows": "rows (default 25)",
    }

    def __init__(self, ports: int = 2, cols: int = 80, rows: int = 25, *, echo: bool = True, stream: str = "") -> None:
        super().__init__()
        self.ports = [_Port(index, f"org.uvirtio.port.{index}") for index in range(ports)]
        self.queue_count = 2 * ports + 2
        self.waiting = frozenset((*(port.receive_queue for port in self.ports), _CONTROL_RECEIVE))
        self.features = (bits.SIZE, bits.MULTIPORT, bits.EMERG_WRITE)
        self.put("cols", cols)
        self.put("rows", rows)
        self.put("max_nr_ports", ports)
        self._echo = echo
        self._messages = Backlog(_MESSAGES)
        #: Transmit queues whose requests have stayed in the ring.
        self._held_back: set[int] = set()
        self._stream: Stream | None = None
        if stream:
            self._stream = Stream(
                stream,
                taken=lambda: self._room_again(1),
                has_room=lambda: len(self.ports[0].incoming) < CROWDED,
                deliver=self._from_stream,
                gone=self._peer_gone,
            )

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        _options(parameters)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Console:
        """See :class:`DeviceModel`."""
        ports, cols, rows, peer = _options(parameters)
        stream = peer.removeprefix("stream:") if peer.startswith("stream:") else ""
        return cls(ports, cols, rows, echo=peer == "echo", stream=stream)

    # Queues

    def _port(self, queue: DeviceQueue) -> _Port:
        return self.ports[0 if queue.index < 2 else queue.index // 2 - 1]

    def serve(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: bytes, or control messages, into waiting buffers."""
        self._poll()
        if queue.index == _CONTROL_RECEIVE:
            while self._messages and (chain := queue.take()) is not None:
                queue.finish(chain, chain.write(self._messages.popleft()))
            if not self._messages.crowded:
                self._room_again(_CONTROL_TRANSMIT)
            return
        port = self._port(queue)
        while port.incoming and self._readable(port) and (chain := queue.take()) is not None:
            if not chain.writable_size:
                raise DriverFault("a receive buffer without a writable byte (5.3.6.1)")
            length = chain.write(memoryview(bytes(port.incoming[: chain.writable_size])))
            del port.incoming[:length]
            queue.finish(chain, length)
        if len(port.incoming) < CROWDED:
            self._room_again(port.receive_queue + 1)
            if port.number == 0 and self._stream is not None:
                self._stream.listen()

    def _readable(self, port: _Port) -> bool:
        """Whether the driver takes bytes: with several ports it opens each one first."""
        return port.guest_open or not self.device.negotiated(bits.MULTIPORT)

    def has_room(self, queue: DeviceQueue) -> bool:
        """See :class:`DeviceModel`: what is not taken at the other end stays with the driver."""
        if queue.index == _CONTROL_TRANSMIT:
            room = not self._messages.crowded
        elif queue.index == 1 and self._stream is not None:
            room = not self._stream.crowded
        else:
            room = not self._echo or len(self._port(queue).incoming) < CROWDED
        if not room:
            self._held_back.add(queue.index)
        return room

    def _room_again(self, index: int) -> None:
        if index in self._held_back:
            self._held_back.discard(index)
            self.device.queues[index].later()

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: bytes that the driver writes to a port, or a control message."""
        if chain.writable:
            raise DriverFault(f"a device-writable buffer in transmit queue {queue.index} (5.3.6.1)")
        data = chain.read()
        if queue.index == _CONTROL_TRANSMIT:
            self._control(data)
        else:
            port = self._port(queue)
            port.received += len(data)
            if port.number == 0 and self._stream is not None:
                self._stream.send(data)
            elif self._echo:
                self._arrived(port, data)
        return 0

    def _arrived(self, port: _Port, data: bytes) -> None:
        """Bytes for the driver."""
        if len(port.incoming) + len(data) > MOST:
            self.device.log.event("bytes lost", f"{len(data)} for port {port.number}")
            return
        port.incoming += data
        self._serve(port.receive_queue)

    def _serve(self, index: int) -> None:
        with self.device.guarded():
            self.serve(self.device.queues[index])

    # Control messages (5.3.6.2)

    def _control(self, data: bytes) -> None:
        if len(data) < CONTROL.size:
            raise DriverFault(f"a control message of {len(data)} bytes (5.3.6.2)")
        identifier, event, value = CONTROL.unpack(data[: CONTROL.size])
        self.device.log.event("control message", f"port {identifier}, event {event}, value {value}")
        if event == Event.DEVICE_READY:
            if value:
                for port in self.ports:
                    self._say(port, Event.PORT_ADD)
        elif identifier >= len(self.ports):
            self.device.log.fault("queue", "control", f"a message for port {identifier} of {len(self.ports)}")
        elif event == Event.PORT_READY and value:
            port = self.ports[identifier]
            if identifier == 0:
                self._say(port, Event.CONSOLE_PORT, 1)
                self._say(port, Event.RESIZE, 0, RESIZE.pack(self.get("cols"), self.get("rows")))
            self._say(port, Event.PORT_NAME, 1, port.name.encode())
            self._say(port, Event.PORT_OPEN, 1)
        elif event == Event.PORT_OPEN:
            self.ports[identifier].guest_open = bool(value)
            self._serve(self.ports[identifier].receive_queue)

    def _say(self, port: _Port, event: Event, value: int = 0, more: bytes = b"") -> None:
        if not self._messages.append(CONTROL.pack(port.number, event, value) + more):
            self.device.log.event("message lost", f"port {port.number}, event {event}")
        self._serve(_CONTROL_RECEIVE)

    # Life, configuration, triggers

    def reset(self) -> None:
        """See :class:`DeviceModel`."""
        self._messages.clear()
        self._held_back.clear()
        for port in self.ports:
            port.reset()

    def config_written(self, field: Field) -> None:
        """See :class:`DeviceModel`: an emergency character (5.3.5.1)."""
        self.device.log.event("emergency write", f"{self.get('emerg_wr') & 0xFF:#04x}")

    def change(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`: the terminal gets wider."""
        return {"cols": self.get("cols") % 1000 + 1}

    def changed(self, names: frozenset[str]) -> None:
        """See :class:`DeviceModel`: a new size goes to port 0 as a message as well."""
        if names & {"cols", "rows"} and self.device.negotiated(bits.MULTIPORT) and self.ports[0].guest_open:
            self._say(self.ports[0], Event.RESIZE, 0, RESIZE.pack(self.get("cols"), self.get("rows")))

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`."""

        def send_traffic(port: object = 0, data: object = "uvirtio\n", count: object = 1) -> None:
            if not isinstance(port, int) or not 0 <= port < len(self.ports):
                raise CannotRun(f"send_traffic: there is no port {port!r}")
            if not isinstance(data, str) or not isinstance(count, int) or not 0 < len(data) * count <= 1 << 20:
                raise CannotRun("send_traffic: data is a text, count how often; 1 MiB at most")
            if len(self.ports[port].incoming) >= CROWDED:
                raise CannotRun(f"send_traffic: {CROWDED} bytes wait already for the driver to take them")
            self._arrived(self.ports[port], data.encode() * count)

        return {"send_traffic": send_traffic}

    # The peer of port 0

    def _poll(self) -> None:
        """Move what can be moved now, either way."""
        if self._stream is not None:
            self._stream.poll()

    def _from_stream(self, data: bytes) -> None:
        self.ports[0].incoming += data

    def watch(self, loop: Loop) -> None:
        """See :class:`DeviceModel`."""
        if self._stream is not None:
            self._stream.watch(loop, lambda: self._serve(0))

    def _peer_gone(self, error: Exception) -> None:
        self.device.log.event("peer gone", str(error))
        self._stream = None
        # Nobody takes what the driver writes from now on.
        self._echo = False
        self._room_again(1)

    def close(self) -> None:
        """See :class:`DeviceModel`."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _options(parameters: Mapping[str, str]) -> tuple[int, int, int, str]:
    peer = parameters.get("peer", "echo")
    if peer not in ("echo", "sink") and not (peer.startswith("stream:") and len(peer) > len("stream:")):
        raise LocatorError(f"peer={peer}: there are echo, sink and stream:PATH")
    return (
        number(parameters, "ports", 2, 1, 31),
        number(parameters, "cols", 80, 1, 1000),
        number(parameters, "rows", 25, 1, 1000),
        peer,
    )
