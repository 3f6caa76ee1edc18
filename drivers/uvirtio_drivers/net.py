"""Network device (virtio 1.4, 5.1): raw Ethernet frames over one pair of queues, and the control queue."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, FrameTooLong, NotOffered, UsageError
from uvirtio.spec.devices import net as spec
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.formats.net import (
    ETHERNET_HEADER,
    FRAME_MAXIMUM,
    HEADER,
    HEADER_LEGACY,
    MAC_LENGTH,
    MTU_MINIMUM,
    STATUS_ANNOUNCE,
    STATUS_LINK_UP,
    AnnounceCommand,
    CommandClass,
    MacCommand,
    RxCommand,
)
from uvirtio.spec.ids import DeviceType

from .backing import echoes
from .buffers import ReceiveBuffers, SendBuffers
from .fields import Fields
from .net_control import ControlQueue
from .net_frames import FrameReader
from .net_pool import FramePool
from .net_workload import NetWorkload
from .workload import ConfigField

__all__ = ["Net"]

RECEIVEQ, TRANSMITQ, CONTROLQ = 0, 1, 2
#: Buffers of each direction, fewer where they are large: at most so many bytes together.
DEPTH = 64
_MEMORY = 1 << 20


class Net:
    """The driver: ``transmit(frame)``, ``receive()``, ``link_up``, ``mac``, and a few commands of the control queue.

    Frames are whole Ethernet frames without their checksum, as bytes. No offload is negotiated.
    """

    TYPE: ClassVar[int] = DeviceType.NET
    FEATURES: ClassVar[Features] = Features.of(
        spec.MTU, spec.MAC, spec.MRG_RXBUF, spec.STATUS, spec.CTRL_VQ, spec.CTRL_RX, spec.CTRL_MAC_ADDR,
        spec.GUEST_ANNOUNCE, spec.SPEED_DUPLEX,
    )  # fmt: skip
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = spec.SPEC.dependencies
    WRITABLE: ClassVar[ConfigField | None] = None
    OPTIONS: ClassVar[frozenset[str]] = frozenset({"peer"})

    def __init__(self, device: Device) -> None:
        """On a device whose queues are set up. Raises :class:`DeviceMisbehaved` for an MTU below 68."""
        assert device.negotiated is not None, "the driver needs a negotiated device"
        self.device = device
        self.fields = Fields(device, spec.SPEC)
        self._accepted = device.negotiated.accepted
        legacy = device.transport.kind == "legacy"
        merged = spec.MRG_RXBUF in self._accepted
        #: Longest frame in bytes, Ethernet header included.
        self.longest = self._longest()
        receive, transmit = device.queue(RECEIVEQ), device.queue(TRANSMITQ)
        header = HEADER_LEGACY if legacy and not merged else HEADER
        size = header.size + self.longest
        # One stretch of memory per direction, which on a real machine has to fit into a huge page.
        depth = max(4, min(DEPTH, _MEMORY // size))
        self._header = bytes(header.size)
        # Legacy devices may insist on a header in a descriptor of its own (5.1.6.6).
        self._head = head = header.size if legacy and Feature.ANY_LAYOUT not in self._accepted else 0
        self._receiving = ReceiveBuffers(device, receive, size, depth, head=head)
        self._reader = FrameReader(header, merged=merged, buffers=self._receiving.count, where=device.function.locator)
        self.sending = SendBuffers(device, transmit, size, depth, head=head)
        self._control = ControlQueue(device, device.queue(CONTROLQ)) if CONTROLQ in device.queues else None
        self.mac = self._own_mac()

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Receive and transmit queue, and the control queue where it was negotiated."""
        assert device.negotiated is not None, "queues are chosen after negotiation"
        queues: dict[int, int | None] = {RECEIVEQ: 128, TRANSMITQ: 128}
        if spec.CTRL_VQ in device.negotiated.accepted:
            queues[CONTROLQ] = 16
        return queues

    def start(self) -> None:
        """Give the device its receive buffers."""
        self._receiving.post()

    def workload(self, *, peer: str | None = None) -> NetWorkload:
        """Numbered frames with checksums. ``peer``: ``echo`` where every frame comes back; None: what the bus knows."""
        return NetWorkload(self, echoed=peer == "echo" if peer else echoes(self.device.function))

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        self._receiving.close()
        self.sending.close()

    def _longest(self) -> int:
        if "mtu" not in self.fields:
            return FRAME_MAXIMUM
        mtu = self.fields.number("mtu")
        if mtu < MTU_MINIMUM:
            raise DeviceMisbehaved(
                f"{self.device.function.locator}: the device advises an MTU of {mtu}; at least {MTU_MINIMUM} is specified (5.1.4.1)"
            )
        return mtu + ETHERNET_HEADER

    def _own_mac(self) -> bytes:
        if spec.MAC in self._accepted:
            return self.fields.data("mac")
        # Without one the driver makes its own: locally administered, unicast (5.1.5).
        return bytes((0x02,)) + Random().randbytes(MAC_LENGTH - 1)

    # -- frames ------------------------------------------------------------------------------------------------

    def enqueue(self, frame: bytes) -> int:
        """Put a frame into a transmit buffer; ``sending.publish`` shows it to the device. Returns the buffer's number.

        Raises :class:`FrameTooLong`, :class:`UsageError` for one without an Ethernet header, :class:`QueueFull`,
        :class:`SuspendedError`.
        """
        self._check(frame)
        return self.sending.put(self._header + frame)

    def _check(self, frame: bytes) -> None:
        if len(frame) > self.longest:
            raise FrameTooLong(
                f"a frame of {len(frame)} bytes is too long: the device takes {self.longest}, an MTU of "
                f"{self.longest - ETHERNET_HEADER} and {ETHERNET_HEADER} bytes of Ethernet header"
            )
        if len(frame) < ETHERNET_HEADER:
            raise UsageError(f"a frame of {len(frame)} bytes has no whole Ethernet header ({ETHERNET_HEADER} bytes)")

    def transmit(self, frame: bytes, timeout: float | None = None) -> None:
        """Send one frame and wait until the device has given its buffer back. Raises like :meth:`transmit_batch`."""
        self.transmit_batch([frame], timeout)

    def transmit_batch(self, frames: Sequence[bytes], timeout: float | None = None) -> None:
        """Send frames in order, as many at once as there are buffers, and wait until all buffers are back.

        Raises :class:`FrameTooLong` (nothing is sent then), :class:`DeviceTimeout`, :class:`SuspendedError`.
        """
        for frame in frames:
            self._check(frame)
        position = 0

        def sent() -> bool:
            nonlocal position
            self.sending.reap()
            while position < len(frames) and self.sending.room:
                self.enqueue(frames[position])
                position += 1
            self.sending.publish()
            return position == len(frames) and not self.sending.outstanding

        self.device.wait_for(sent, timeout, doing=f"transmitting {len(frames)} frames")

    def prepare(self, frames: Sequence[bytes]) -> FramePool:
        """Frames of one length, written once, to be sent in batches again and again. Close it to transmit others.

        Raises :class:`FrameTooLong`, :class:`UsageError`, :class:`DriverMisuse` while frames are in flight.
        """
        for frame in frames:
            self._check(frame)
        return FramePool(self, frames, self._header, self._head)

    def received(self) -> list[bytes]:
        """Frames that have arrived, without waiting; receive buffers go back to the device while it is running.

        Raises :class:`DeviceMisbehaved` for a header that lies.
        """
        self._reader.feed(self._receiving.take())
        self._receiving.post()
        frames = list(self._reader.frames)
        self._reader.frames.clear()
        return frames

    def receive(self, timeout: float | None = None) -> bytes:
        """The next frame. Raises :class:`DeviceTimeout`, :class:`DeviceMisbehaved`."""
        waiting = self._reader.frames

        def arrived() -> bool:
            self._reader.feed(self._receiving.take())
            self._receiving.post()
            return bool(waiting)

        self.device.wait_for(arrived, timeout, doing="receiving a frame")
        return waiting.popleft()

    # -- configuration -----------------------------------------------------------------------------------------

    @property
    def link_up(self) -> bool:
        """Whether the link is up; without the field status it is always assumed to be (5.1.4.2)."""
        return "status" not in self.fields or bool(self.fields.number("status") & STATUS_LINK_UP)

    @property
    def announce_wanted(self) -> bool:
        """Whether the device asks for gratuitous packets, to be confirmed by :meth:`announce_ack`."""
        return "status" in self.fields and bool(self.fields.number("status") & STATUS_ANNOUNCE)

    def wait_for_link(self, up: bool, timeout: float | None = None) -> bool:
        """Wait until the link is up or down; whether a configuration change notification came on the way.

        Raises :class:`NotOffered` where the device does not tell, :class:`DeviceTimeout`.
        """
        if "status" not in self.fields:
            raise NotOffered("the device has no field status (NET_F_STATUS): its link is always up")
        before = self.device.isr.config
        self.device.wait_for(
            lambda: self.link_up is up, timeout, doing=f"waiting for the link to go {'up' if up else 'down'}"
        )
        self.device.isr.collect()
        return self.device.isr.config != before

    # -- control queue -----------------------------------------------------------------------------------------

    def promiscuous(self, on: bool) -> None:
        """Receive everything, or only what is addressed to this device. Raises :class:`NotOffered` without CTRL_RX."""
        words = f"switch promiscuous mode {'on' if on else 'off'}"
        self._command(spec.CTRL_RX, CommandClass.RX, RxCommand.PROMISC, bytes((on,)), words)

    def all_multicast(self, on: bool) -> None:
        """Receive every multicast frame, or not. Raises :class:`NotOffered` without CTRL_RX."""
        words = f"switch reception of all multicast {'on' if on else 'off'}"
        self._command(spec.CTRL_RX, CommandClass.RX, RxCommand.ALLMULTI, bytes((on,)), words)

    def set_mac(self, mac: bytes) -> None:
        """Change the MAC address (6 bytes). Raises :class:`NotOffered` without CTRL_MAC_ADDR, :class:`UsageError`."""
        if len(mac) != MAC_LENGTH or mac[0] & 1:
            raise UsageError(f"{mac.hex(':')} is no unicast MAC address of {MAC_LENGTH} bytes")
        words = f"set the MAC address {mac.hex(':')}"
        self._command(spec.CTRL_MAC_ADDR, CommandClass.MAC, MacCommand.ADDR_SET, mac, words)
        self.mac = mac

    def announce_ack(self) -> None:
        """Confirm that the gratuitous packets were sent. Raises :class:`NotOffered` without GUEST_ANNOUNCE."""
        words = "confirm an announcement"
        self._command(spec.GUEST_ANNOUNCE, CommandClass.ANNOUNCE, AnnounceCommand.ACK, b"", words)

    def _command(self, bit: int, group: CommandClass, command: int, data: bytes, words: str) -> None:
        if self._control is None or bit not in self._accepted:
            name = next(feature.name for feature in spec.SPEC.features if feature.number == bit)
            raise NotOffered(f"{self.device.function.locator}: to {words} needs {name}, which was not negotiated")
        self._control.command(group, command, data, words)
