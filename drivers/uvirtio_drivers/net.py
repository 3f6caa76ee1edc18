"""Network device (virtio 1.4, 5.1): raw Ethernet frames over one or several pairs of queues, and the control queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import ClassVar

from uvirtio.device import Device
from uvirtio.errors import DeviceMisbehaved, FrameTooLong, NotOffered, RequestFailed, SuspendedError, UsageError
from uvirtio.queue import Queue
from uvirtio.spec.devices import net as spec
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.formats.net import (
    ETHERNET_HEADER,
    FRAME_MAXIMUM,
    HEADER,
    HEADER_LEGACY,
    MAC_LENGTH,
    MTU_MINIMUM,
    PAIRS_SET,
    STATUS_ANNOUNCE,
    STATUS_LINK_UP,
    AnnounceCommand,
    CommandClass,
    MacCommand,
    MqCommand,
    RxCommand,
)
from uvirtio.spec.ids import DeviceType

from .buffers import SendBuffers
from .bulk import Bulk
from .fields import Fields
from .net_control import ControlQueue
from .net_pair import Layout, Pair, pairs_there
from .net_pool import AlikeFrames, FramePool
from .workload import WritableField

__all__ = ["Net"]

#: Most queue pairs that are used.
PAIRS = 4
#: Buffers of each direction of a pair, fewer where they are large: at most so many bytes of all pairs together.
DEPTH = 64
_MEMORY = 1 << 20
#: From so many frames of one length on a pool is worth describing.
_ALIKE = 256


class Net:
    """The driver: ``transmit(frame)``, ``receive()``, ``link_up``, ``mac``, and a few commands of the control queue.

    Frames are whole Ethernet frames without their checksum, as bytes. No offload is negotiated. With multiqueue (MQ) up to
    :data:`PAIRS` queue pairs are set up as ``pairs``, of which the first ``used`` carry frames: one until :meth:`start`, then
    all, or as many as :meth:`use_pairs` says. Frames are received from all of them; a batch goes out on one.
    """

    TYPE: ClassVar[int] = DeviceType.NET
    FEATURES: ClassVar[Features] = Features.of(
        spec.MTU, spec.MAC, spec.MRG_RXBUF, spec.STATUS, spec.CTRL_VQ, spec.CTRL_RX, spec.CTRL_MAC_ADDR,
        spec.GUEST_ANNOUNCE, spec.SPEED_DUPLEX, spec.MQ,
    )  # fmt: skip
    DEPENDENCIES: ClassVar[dict[int, tuple[int, ...]]] = spec.SPEC.dependencies
    WRITABLE: ClassVar[WritableField | None] = None

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
        header = HEADER_LEGACY if legacy and not merged else HEADER
        size = header.size + self.longest
        control = 2 * pairs_there(device)
        count = sum(index < control for index in device.queues) // 2
        # One stretch of memory per direction, which on a real machine has to fit into a huge page.
        depth = max(4, min(DEPTH, _MEMORY // count // size))
        self._header = bytes(header.size)
        # Legacy devices may insist on a header in a descriptor of its own (5.1.6.6).
        self._head = head = header.size if legacy and Feature.ANY_LAYOUT not in self._accepted else 0
        layout = Layout(header, size, depth, head, merged)
        self.pairs = [Pair(device, number, layout) for number in range(count)]
        #: How many pairs are in use, from the first one on.
        self.used = 1
        #: Why fewer pairs are in use than were set up; empty when they are not.
        self.refused = ""
        self._turn = 0
        self._bulk = Bulk(device)
        self._arrived: deque[bytes] = deque()
        self._control = ControlQueue(device, device.queue(control)) if control in device.queues else None
        self.mac = self._own_mac()

    @classmethod
    def queues(cls, device: Device) -> dict[int, int | None]:
        """Receive and transmit queue of each pair, and the control queue where it was negotiated.

        Raises :class:`DeviceMisbehaved` for a ``max_virtqueue_pairs`` that cannot be.
        """
        assert device.negotiated is not None, "queues are chosen after negotiation"
        there = pairs_there(device)
        queues: dict[int, int | None] = dict.fromkeys(range(2 * min(there, PAIRS)), 128)
        if spec.CTRL_VQ in device.negotiated.accepted:
            queues[2 * there] = 16
        return queues

    def start(self) -> None:
        """Give the device its receive buffers, and have it use all pairs; where it refuses, go on with the first."""
        for pair in self.pairs:
            pair.receiving.post()
        if len(self.pairs) > 1:
            try:
                self.use_pairs(len(self.pairs))
            except RequestFailed as error:
                self.refused = str(error)

    def take_back(self) -> None:
        """Wait until nothing of a call that timed out is left with the device. Raises :class:`DeviceTimeout`."""
        self._bulk.take_back()

    def close(self) -> None:
        """Give the buffers back, once the device has been reset."""
        for pair in self.pairs:
            pair.close()

    def _longest(self) -> int:
        if "mtu" not in self.fields:
            return FRAME_MAXIMUM
        mtu = self.fields.number("mtu")
        if mtu < MTU_MINIMUM:
            raise DeviceMisbehaved(
                f"{self.device.function.locator}: the device advises an MTU of {mtu}; at least {MTU_MINIMUM} is specified (5.1.4.1)",
                rule="mtu",
            )
        return mtu + ETHERNET_HEADER

    def _own_mac(self) -> bytes:
        if spec.MAC in self._accepted:
            return self.fields.data("mac")
        # Without one the driver makes its own: locally administered, unicast (5.1.5).
        return bytes((0x02,)) + Random().randbytes(MAC_LENGTH - 1)

    # -- frames ------------------------------------------------------------------------------------------------

    @property
    def sending(self) -> SendBuffers:
        """Transmit buffers of the first pair, which is always in use."""
        return self.pairs[0].sending

    def enqueue(self, frame: bytes, pair: int = 0) -> int:
        """Put a frame into a transmit buffer of a pair; ``pairs[pair].sending.publish`` shows it to the device.

        Returns the buffer's number. Raises :class:`FrameTooLong`, :class:`UsageError` for one without an Ethernet header or a
        pair that is not in use, :class:`QueueFull`, :class:`SuspendedError`.
        """
        self._check(frame)
        return self._pair(pair).sending.put(self._header + frame)

    def _pair(self, number: int) -> Pair:
        if not 0 <= number < self.used:
            raise UsageError(f"queue pair {number}: pairs 0 to {self.used - 1} are in use")
        return self.pairs[number]

    def _check(self, frame: bytes) -> None:
        if len(frame) > self.longest:
            raise FrameTooLong(
                f"a frame of {len(frame)} bytes is too long: the device takes {self.longest}, an MTU of "
                f"{self.longest - ETHERNET_HEADER} and {ETHERNET_HEADER} bytes of Ethernet header"
            )
        if len(frame) < ETHERNET_HEADER:
            raise UsageError(f"a frame of {len(frame)} bytes has no whole Ethernet header ({ETHERNET_HEADER} bytes)")

    def transmit(self, frame: bytes, timeout: float | None = None, *, pair: int | None = None) -> None:
        """Send one frame and wait until the device has given its buffer back. Raises like :meth:`transmit_batch`."""
        self.transmit_batch([frame], timeout, pair=pair)

    def transmit_batch(self, frames: Sequence[bytes], timeout: float | None = None, *, pair: int | None = None) -> None:
        """Send frames in order, as many at once as there are buffers, and wait until all buffers are back.

        They go out on one ``pair``; None: on the pairs in use in turn, one batch each.
        Raises :class:`FrameTooLong` (nothing is sent then), :class:`UsageError`, :class:`DeviceTimeout`, :class:`SuspendedError`.
        """
        for frame in frames:
            self._check(frame)
        if pair is None:
            pair = self._turn % self.used
            self._turn += 1
        sending = self._pair(pair).sending
        if len(frames) >= _ALIKE and not sending.outstanding and len(set(map(len, frames))) == 1:
            self._transmit_alike(frames, timeout, sending.queue)
            return
        position = 0

        def sent() -> bool:
            nonlocal position
            if not self._bulk.settle():
                return False
            sending.reap()
            while position < len(frames) and sending.room:
                sending.put(self._header + frames[position])
                position += 1
            sending.publish()
            return position == len(frames) and not sending.outstanding

        self.device.wait_for(sent, timeout, doing=f"transmitting {len(frames)} frames", queues=[sending.queue])

    def _transmit_alike(self, frames: Sequence[bytes], timeout: float | None, queue: Queue) -> None:
        """Many frames of one length: their descriptors are the same for all."""
        size = len(self._header) - self._head + len(frames[0])
        parts = (self._head, size) if self._head else (size,)
        with self._bulk.lent([queue], len(frames), parts, ()) as (buffers,):
            alike = AlikeFrames(buffers, frames, self._header, self._head)
            self.device.wait_for(alike.step, timeout, doing=f"transmitting {len(frames)} frames", queues=[queue])

    def prepare(self, frames: Sequence[bytes], *, pair: int = 0) -> FramePool:
        """Frames of one length, written once, to be sent on a pair in batches again and again. Close it to transmit others there.

        Raises :class:`FrameTooLong`, :class:`UsageError`, :class:`DriverMisuse` while frames are in flight.
        """
        for frame in frames:
            self._check(frame)
        return FramePool(self.device, self._pair(pair).sending.queue, frames, self._header, self._head)

    def received(self) -> list[bytes]:
        """Frames that have arrived, without waiting; receive buffers go back to the device while it is running.

        Frames of one pair are in their order. Raises :class:`DeviceMisbehaved` for a header that lies.
        """
        self._collect()
        frames = list(self._arrived)
        self._arrived.clear()
        return frames

    def _collect(self) -> bool:
        """Take what has arrived on any pair, used or not: a pair may still have frames when it is given up."""
        for pair in self.pairs:
            self._arrived += pair.receive()
        return bool(self._arrived)

    def receive(self, timeout: float | None = None) -> bytes:
        """The next frame. Raises :class:`DeviceTimeout`, :class:`DeviceMisbehaved`."""
        queues = [pair.receiving.queue for pair in self.pairs]
        self.device.wait_for(self._collect, timeout, doing="receiving a frame", queues=queues)
        return self._arrived.popleft()

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
        before = self.device.notifications.config
        self.device.wait_for(
            lambda: self.link_up is up, timeout, doing=f"waiting for the link to go {'up' if up else 'down'}"
        )
        self.device.notifications.collect()
        return self.device.notifications.config != before

    # -- control queue -----------------------------------------------------------------------------------------

    def use_pairs(self, count: int) -> None:
        """Have frames go over the first ``count`` pairs from now on (5.1.6.5.6), once what is under way on others is sent.

        Raises :class:`UsageError` for more than were set up, :class:`RequestFailed` where the device refuses,
        :class:`DeviceTimeout`.
        """
        if not 1 <= count <= len(self.pairs):
            raise UsageError(
                f"{count} queue pairs cannot be used: 1 to {len(self.pairs)} can"
                + (
                    f" (of those that the device has, at most {PAIRS} are set up)"
                    if spec.MQ in self._accepted
                    else ": NET_F_MQ was not negotiated"
                )
            )
        if len(self.pairs) == 1:
            return
        leaving, before = self.pairs[count:], self.used

        def sent() -> bool:
            if not self._bulk.settle():
                return False
            for pair in leaving:
                pair.sending.reap()
            return not any(pair.sending.outstanding for pair in leaving)

        # Nothing may be queued on a pair once the command that gives it up is there, whatever becomes of the command.
        self.used = min(before, count)
        words = f"use {count} queue pairs"
        try:
            self.device.wait_for(sent, doing=f"sending what is under way before it is told to {words}")
            self._command(spec.MQ, CommandClass.MQ, MqCommand.VQ_PAIRS_SET, PAIRS_SET.pack(count), words)
        except (RequestFailed, SuspendedError):
            self.used = before
            raise
        self.used = count

    def promiscuous(self, on: bool) -> None:
        """Receive everything, or only what is addressed to this device. Raises :class:`NotOffered` without CTRL_RX."""
        words = f"switch promiscuous mode {'on' if on else 'off'}"
        self._command(spec.CTRL_RX, CommandClass.RX, RxCommand.PROMISC, bytes((on,)), words)

    def all_multicast(self, on: bool) -> None:
        """Receive every multicast frame, or not. Raises :class:`NotOffered` without CTRL_RX."""
        self.begin_all_multicast(on)()

    def begin_all_multicast(self, on: bool, *, notify: bool = True) -> Callable[[], None]:
        """As :meth:`all_multicast`; what is returned waits for the answer."""
        words = f"switch reception of all multicast {'on' if on else 'off'}"
        return self._begin(spec.CTRL_RX, CommandClass.RX, RxCommand.ALLMULTI, bytes((on,)), words, notify=notify)

    def kick_control(self) -> None:
        """Notify the control queue of what was begun without it."""
        if self._control is not None:
            self._control.kick()

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
        self._begin(bit, group, command, data, words)()

    def _begin(
        self, bit: int, group: CommandClass, command: int, data: bytes, words: str, *, notify: bool = True
    ) -> Callable[[], None]:
        if self._control is None or bit not in self._accepted:
            name = next(feature.name for feature in spec.SPEC.features if feature.number == bit)
            raise NotOffered(f"{self.device.function.locator}: to {words} needs {name}, which was not negotiated")
        return partial(self._control.finish, self._control.begin(group, command, data, words, notify=notify))
