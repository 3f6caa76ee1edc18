"""The network device (virtio 1.4, 5.1): queue pairs, a control queue, and a peer on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from ..errors import CannotRun, LocatorError
from ..spec.devices import net as bits
from ..spec.formats.net import ETHERNET_HEADER, FRAME_MAXIMUM, HEADER, MAC_LENGTH, MTU_MINIMUM, STATUS_LINK_UP
from ..spec.ids import DeviceType
from . import net_commands
from .backlog import Backlog
from .memory import DriverFault
from .model import DeviceModel
from .net_steering import Steering
from .parameters import number
from .peers import EchoPeer, Peer, make_peer
from .queue import DeviceQueue
from .ring import Chain

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ["Net"]

_DEFAULT_MAC = "52:54:00:75:76:01"
#: Bytes of memory for frames that wait for receive buffers, of all pairs together, before more are lost.
_BACKLOG = 8 << 20
#: A VLAN tag, which a frame may have beyond the MTU and the Ethernet header.
_TAG = 4
#: Bytes of a frame, or of a control command's data, that are read at all.
_LONGEST = 1 << 17


class Net(DeviceModel):
    """``pairs`` receive and transmit queues, then the control queue. Frames that come in wait for buffers.

    Only the first pair is in use until the driver asks for more (5.1.6.5.6).
    """

    TYPE = DeviceType.NET
    CLASS = 0x020000
    STATE = ("config", "backlog", "_held_back", "_granted", "_live", "_several", "_steering")
    #: Before each received frame: one buffer, no offloads (5.1.9.4.1).
    HEAD: ClassVar[bytes] = HEADER.pack(0, 0, 0, 0, 0, 0, 1)
    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "mac": f"MAC address (default {_DEFAULT_MAC})",
        "mtu": "largest packet (default 1500)",
        "peer": "echo (default), sink, responder (answers ARP and ping), stream:PATH, dgram:LOCAL,REMOTE",
        "queues": "queue pairs, with multiqueue (MQ) where there are several (default 1)",
    }

    def __init__(self, mac: bytes, mtu: int, peer: Peer, pairs: int = 1) -> None:
        super().__init__()
        self.pairs = pairs
        self.queue_count = 2 * pairs + 1
        self.waiting = frozenset({0})
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
        self.put("rss_max_key_size", 40)
        self.put("rss_max_indirection_table_length", 128)
        #: Frames for each receive queue that wait for its buffers.
        self.backlog = [Backlog(_BACKLOG // pairs) for _ in range(pairs)]
        #: Transmit queues whose frames have stayed in the ring.
        self._held_back: set[int] = set()
        self._steering = Steering()
        #: The most pairs that the driver has asked for since the reset.
        self._granted = 1
        self._live = False
        #: Whether there is a choice of receive queues at all.
        self._several = False
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

    def live(self) -> None:
        """See :class:`DeviceModel`: which queues hold buffers until a frame comes in depends on what was negotiated."""
        self._live = True
        self._several = self._control > 2
        for queue in self.device.queues:
            queue.waits = queue.index < self._control and queue.index % 2 == 0

    # The wire

    def arrived(self, frame: bytes) -> None:
        """A frame from the peer; it is lost when the link is down, or when no receive queue in use can take it."""
        if self._linked() and self._sort(frame):
            return
        self.device.log.event("frame lost", f"{len(frame)} bytes")

    def _sort(self, frame: bytes) -> bool:
        """Put a frame behind the others for its receive queue, and look whether there is a buffer for it."""
        queues = self.device.queues
        # As long as nobody has set up queues, frames wait for the first one.
        pair: int | None = 0
        if self._several:
            pair = self._steering.choose(frame, lambda pair: queues[2 * pair].enabled)
        elif self._live and not queues[0].enabled:
            pair = None
        if pair is None or not self.backlog[pair].append(frame):
            return False
        with self.device.guarded():
            self._fill(queues[2 * pair])
        return True

    def serve(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: put the frames that were steered to a receive queue into its buffers."""
        self._peer.poll()
        self._fill(queue)

    def _fill(self, queue: DeviceQueue) -> None:
        backlog = self.backlog[queue.index // 2]
        while backlog and (chain := queue.take()) is not None:
            frame = backlog.popleft()
            # A driver without large receive owes buffers of 1526 bytes, whatever comes in (5.1.9.3.1).
            if len(frame) > self._longest() or chain.writable_size < len(self.HEAD) + len(frame):
                why = f"{len(frame)} bytes for a receive buffer of {chain.writable_size}"
                self.device.log.event("frame lost", why)
                queue.keep(chain)
                continue
            queue.finish(chain, chain.write(self.HEAD + frame))
        if self._held_back and not backlog.crowded:
            held, self._held_back = self._held_back, set()
            for index in held:
                self.device.queues[index].later()

    def has_room(self, queue: DeviceQueue) -> bool:
        """See :class:`DeviceModel`: an echo loses nothing, so frames are not sent before what came back is taken."""
        if not isinstance(self._peer, EchoPeer) or queue.index >= self._control:
            return True
        if not any(backlog.crowded for backlog in self.backlog):
            return True
        self._held_back.add(queue.index)
        return False

    def _longest(self) -> int:
        """Bytes of a frame that the driver is ready for: what the MTU allows, where it has accepted one (5.1.4.1)."""
        mtu: int = self.get("mtu")
        return mtu + ETHERNET_HEADER + _TAG if self.device.negotiated(bits.MTU) else _LONGEST

    def _sort_again(self, pairs: Iterable[int]) -> None:
        """Steer what waits for these pairs to others: theirs are not to be used any more (5.1.6.5.6.2)."""
        for pair in pairs:
            for _ in range(len(self.backlog[pair])):
                self.arrived(self.backlog[pair].popleft())

    def queue_reset(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: frames go to another receive queue, and are lost where there is none."""
        if queue.index < self._control and queue.index % 2 == 0:
            self._sort_again([queue.index // 2])

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: a frame to transmit, or a control command."""
        if queue.index == self._control:
            ack = self._command(chain)
            return chain.write(bytes((ack,)), chain.writable_size - 1)
        if queue.index > self._control:
            raise DriverFault(f"a buffer in queue {queue.index}, which does not exist without MQ (5.1.2)")
        if not HEADER.size + ETHERNET_HEADER <= chain.readable_size <= HEADER.size + _LONGEST:
            raise DriverFault(f"a transmit buffer of {chain.readable_size} bytes")
        frame = chain.read(HEADER.size)
        if len(frame) > self.get("mtu") + FRAME_MAXIMUM - 1500 + 4:
            self.device.log.fault(
                "queue", "transmit", f"a frame of {len(frame)} bytes with an MTU of {self.get('mtu')}"
            )
        elif queue.index // 2 >= self._granted:
            self.device.log.fault(
                "queue",
                "transmit",
                f"a frame in queue {queue.index}, whose pair the driver never asked for (5.1.6.5.6)",
            )
        elif self._linked():
            if self._several:
                self._steering.learn(frame, queue.index // 2)
            self._peer.send(frame)
        return 0

    def _linked(self) -> bool:
        """Whether frames get through. The echo is inside of the device: it does not depend on the wire."""
        return bool(self.get("status") & STATUS_LINK_UP) or isinstance(self._peer, EchoPeer)

    # The control queue (5.1.6.5)

    def _command(self, chain: Chain) -> int:
        return net_commands.command(self, self.device.log, chain, _LONGEST)

    def negotiated(self, bit: int) -> bool:
        """Whether the driver has accepted a feature."""
        return self.device.negotiated(bit)

    def set_mac(self, address: bytes) -> None:
        """From now on the driver's station has this address (5.1.6.5.2)."""
        self.put("mac", int.from_bytes(address, "little"))

    def use(self, pairs: int) -> None:
        """From now on so many pairs are used (5.1.6.5.6)."""
        self._steering.use(pairs)
        self._granted = max(self._granted, pairs)
        self._sort_again(range(pairs, self.pairs))

    # Life, configuration, triggers

    def reset(self) -> None:
        """See :class:`DeviceModel`: frames that nobody took are gone, and a MAC address that was set."""
        for waiting in self.backlog:
            waiting.clear()
        self._held_back.clear()
        self._steering.use(1)
        self._granted = 1
        self._live = self._several = False
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
        self._peer.watch(loop, self._peer_gone)

    def _peer_gone(self, error: Exception) -> None:
        self.device.log.event("peer gone", str(error))

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
