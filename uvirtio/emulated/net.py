"""The network device (virtio 1.4, 5.1): queue pairs, a control queue, and a peer on the wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from ..errors import CannotRun, LocatorError
from ..spec.devices import net as bits
from ..spec.formats.net import (
    ACK_ERR,
    ACK_OK,
    COMMAND,
    ETHERNET_HEADER,
    FRAME_MAXIMUM,
    HEADER,
    MAC_LENGTH,
    MTU_MINIMUM,
    STATUS_LINK_UP,
    CommandClass,
    MacCommand,
    RxCommand,
)
from ..spec.ids import DeviceType
from .memory import DriverFault
from .model import DeviceModel
from .parameters import number
from .peers import EchoPeer, Peer, make_peer
from .queue import DeviceQueue
from .ring import Chain

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Net"]

_DEFAULT_MAC = "52:54:00:75:76:01"
_RECEIVED = HEADER.pack(0, 0, 0, 0, 0, 0, 1)  # one buffer, no offloads (5.1.6.4.1)
#: Frames that wait for receive buffers before more are lost.
_BACKLOG = 1 << 16
#: Bytes of a frame, or of a control command's data, that are read at all.
_LONGEST = 1 << 17


class Net(DeviceModel):
    """``pairs`` receive and transmit queues, then the control queue. Frames that come in wait for buffers."""

    TYPE = DeviceType.NET
    CLASS = 0x020000
    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "mac": f"MAC address (default {_DEFAULT_MAC})",
        "mtu": "largest packet (default 1500)",
        "peer": "echo (default), sink, responder (answers ARP and ping), stream:PATH, dgram:LOCAL,REMOTE",
        "queues": "queue pairs (default 1)",
    }

    def __init__(self, mac: bytes, mtu: int, peer: Peer, pairs: int = 1) -> None:
        super().__init__()
        self.pairs = pairs
        self.queue_count = 2 * pairs + 1
        self.waiting = frozenset(range(0, 2 * pairs, 2))
        self.features = (bits.MAC, bits.MTU, bits.STATUS, bits.CTRL_VQ, bits.CTRL_RX, bits.CTRL_MAC_ADDR)
        self.features += (bits.SPEED_DUPLEX,)
        if pairs > 1:
            self.features += (bits.MQ,)
        self._mac = int.from_bytes(mac, "little")
        self.put("mac", self._mac)
        self.put("status", STATUS_LINK_UP)
        self.put("max_virtqueue_pairs", pairs)
        self.put("mtu", mtu)
        self.put("speed", 1000)
        self.put("duplex", 1)
        self.backlog: deque[bytes] = deque()
        self._peer = peer
        peer.deliver = self.arrived

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        _mac(parameters)
        make_peer(parameters.get("peer", "echo"), dry=True)
        number(parameters, "mtu", 1500, MTU_MINIMUM, 65535)
        number(parameters, "queues", 1, 1, 32)

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Net:
        """See :class:`DeviceModel`."""
        return cls(
            _mac(parameters),
            number(parameters, "mtu", 1500, MTU_MINIMUM, 65535),
            make_peer(parameters.get("peer", "echo")),
            number(parameters, "queues", 1, 1, 32),
        )

    @property
    def _control(self) -> int:
        """Index of the control queue: behind the first pair when multiqueue was not negotiated (5.1.2)."""
        return 2 * self.pairs if self.device.negotiated(bits.MQ) else 2

    # The wire

    def arrived(self, frame: bytes) -> None:
        """A frame from the peer; it is lost when the link is down."""
        if self._linked() and len(self.backlog) < _BACKLOG:
            self.backlog.append(frame)
            with self.device.guarded():
                self._fill(self.device.queues[0])
        else:
            self.device.log.event("frame lost", f"{len(frame)} bytes")

    def serve(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: all frames go to the first pair."""
        self._peer.poll()
        if queue.index == 0:
            self._fill(queue)

    def _fill(self, queue: DeviceQueue) -> None:
        while self.backlog and (chain := queue.take()) is not None:
            frame = self.backlog.popleft()
            if chain.writable_size < len(_RECEIVED) + len(frame):
                raise DriverFault(f"a receive buffer of {chain.writable_size} bytes for a frame of {len(frame)}")
            queue.finish(chain, chain.write(_RECEIVED + frame))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: a frame to transmit, or a control command."""
        if queue.index == self._control:
            ack = self._command(chain)
            return chain.write(bytes((ack,)), chain.writable_size - 1)
        if not HEADER.size + ETHERNET_HEADER <= chain.readable_size <= HEADER.size + _LONGEST:
            raise DriverFault(f"a transmit buffer of {chain.readable_size} bytes")
        frame = chain.read(HEADER.size)
        if len(frame) > self.get("mtu") + FRAME_MAXIMUM - 1500 + 4:
            self.device.log.fault(
                "queue", "transmit", f"a frame of {len(frame)} bytes with an MTU of {self.get('mtu')}"
            )
        elif self._linked():
            self._peer.send(frame)
        return 0

    def _linked(self) -> bool:
        """Whether frames get through. The echo is inside of the device: it does not depend on the wire."""
        return bool(self.get("status") & STATUS_LINK_UP) or isinstance(self._peer, EchoPeer)

    # The control queue (5.1.6.5)

    def _command(self, chain: Chain) -> int:
        if not COMMAND.size <= chain.readable_size <= _LONGEST or chain.writable_size < 1:
            raise DriverFault("a control command without class and command, or without a place for its ack (5.1.6.5)")
        kind, command = COMMAND.unpack(chain.read(0, COMMAND.size))
        data = chain.read(COMMAND.size)
        self.device.log.event("control command", f"class {kind}, command {command}, {len(data)} bytes")
        if kind == CommandClass.RX:
            return ACK_OK if command <= RxCommand.ALLMULTI and len(data) == 1 else ACK_ERR
        if kind == CommandClass.MAC and command == MacCommand.TABLE_SET:
            return ACK_OK
        if kind == CommandClass.MAC and command == MacCommand.ADDR_SET and len(data) == MAC_LENGTH:
            self.put("mac", int.from_bytes(data, "little"))
            return ACK_OK
        if kind == CommandClass.MQ and command == 0 and len(data) == 2 and self.device.negotiated(bits.MQ):
            return ACK_OK if 1 <= int.from_bytes(data, "little") <= self.pairs else ACK_ERR
        return ACK_ERR

    # Life, configuration, triggers

    def reset(self) -> None:
        """See :class:`DeviceModel`: frames that nobody took are gone, and a MAC address that was set."""
        self.backlog.clear()
        self.put("mac", self._mac)

    def change(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`: the link goes down, or up again."""
        return {"status": self.get("status") ^ STATUS_LINK_UP}

    def disturb(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`."""
        return {"speed": self.get("speed") % 10000 + 1000}

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`."""

        def set_link(up: object = True) -> None:
            if not isinstance(up, bool):
                raise CannotRun(f"set_link: {up!r} is neither true nor false")
            status = self.get("status") & ~STATUS_LINK_UP | (STATUS_LINK_UP if up else 0)
            if status != self.get("status"):
                self.device.change_config({"status": status})

        def send_traffic(count: object = 1, size: object = 60) -> None:
            if (
                not isinstance(count, int)
                or not isinstance(size, int)
                or not (0 < count <= 4096 and 14 <= size <= 9000)
            ):
                raise CannotRun(f"send_traffic: {count!r} frames of {size!r} bytes; up to 4096 of 14 to 9000 bytes")
            for position in range(count):
                head = self.get("mac").to_bytes(6, "little") + b"\x52\x54\0\x75\x76\x03" + b"\x88\xb5"
                self.arrived((head + position.to_bytes(4, "big")).ljust(size, b"\0")[:size])

        return {"set_link": set_link, "send_traffic": send_traffic}

    def watch(self, loop: Loop) -> None:
        """See :class:`DeviceModel`."""
        if self._peer.fileno() >= 0:
            loop.watch(self._peer.fileno(), self._peer.poll)

    def close(self) -> None:
        """See :class:`DeviceModel`."""
        self._peer.close()


def _mac(parameters: Mapping[str, str]) -> bytes:
    text = parameters.get("mac", _DEFAULT_MAC)
    try:
        mac = bytes(int(part, 16) for part in text.split(":"))
    except ValueError:
        mac = b""
    if len(mac) != MAC_LENGTH or mac[0] & 1:
        raise LocatorError(f"mac={text} is no station's MAC address; it looks like {_DEFAULT_MAC}")
    return mac
