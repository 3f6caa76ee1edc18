"""The client of a vfio-user server: commands out, answers in, every answer bounded and checked."""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import time
from collections.abc import Callable

from ...errors import CannotRun, DeviceDied, DeviceError, DeviceMisbehaved, NoSuchDevice, NotVirtio
from ...vfio_user import wire
from ...vfio_user.channel import Channel, HungUp, Message
from ...vfio_user.wire import Command, HeaderFlag, IrqFlag, IrqSet

__all__ = ["Refused", "VfioUserClient"]

_MAJOR, _MINOR = 0, 0
#: Between two looks for a server that is to come (s).
_NAP = 0.02
#: Commands that the device itself has to deal with.
_ACCESSES = (Command.REGION_READ, Command.REGION_WRITE)


class Refused(DeviceMisbehaved):
    """The server answered a command with an error number, ``number``."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class VfioUserClient:
    """A connection with the version agreed. ``timeout`` in seconds bounds every answer, whatever else the server sends.

    ``ends`` is when everything has to be over (:func:`time.monotonic`), for as long as that is set. The server's commands,
    DMA_READ and DMA_WRITE of memory that it was given, are answered while an answer of it or an interrupt is waited for.

    Raises :class:`NoSuchDevice` when nobody listens and :class:`CannotRun` when it is no vfio-user server (or one that
    serves somebody else); afterwards :class:`DeviceGone`, :class:`DeviceTimeout`, :class:`DeviceMisbehaved`.
    """

    def __init__(self, path: str, timeout: float, connection: socket.socket | None = None) -> None:
        """``connection``: one that is there already."""
        self.path = path
        self.ends = math.inf
        self._number = 0
        self._memory: dict[int, memoryview] = {}
        #: What a server that comes instead is given again: descriptors of memory, and of interrupts by type.
        self._files: dict[int, int] = {}
        self._eventfds: dict[int, tuple[int, ...]] = {}
        self._timeout = timeout
        self._channel = Channel(connection or _connected(path, timeout), f"the server at {path}", timeout)
        try:
            self.capabilities = self._agree()
        except BaseException:
            self.close()
            raise

    def _agree(self) -> wire.Capabilities:
        try:
            major, minor, capabilities = wire.unpack_version(
                self.call(Command.VERSION, wire.pack_version(_MAJOR, _MINOR))
            )
        except DeviceError as error:
            raise CannotRun(
                f"{self.path} does not behave like a vfio-user server, or it serves another client: {error}"
            ) from error
        if major != _MAJOR:
            raise CannotRun(f"{self.path} speaks vfio-user {major}.{minor}; this client speaks version {_MAJOR}")
        return capabilities

    def reconnect(self, seconds: float) -> None:
        """Go on with the server that listens at the same path now, or within so many seconds, and give it what the last one had.

        Raises :class:`NoSuchDevice` where none comes, and what opening a connection does.
        """
        self._channel.close()
        deadline = time.monotonic() + seconds
        while True:
            try:
                connection = _connected(self.path, self._timeout)
                self._channel = Channel(connection, f"the server at {self.path}", self._timeout)
                self.capabilities = self._agree()
                break
            except CannotRun:
                self._channel.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(_NAP)
        for address, descriptor in self._files.items():
            self._map(address, len(self._memory[address]), descriptor)
        for kind, descriptors in self._eventfds.items():
            self.set_eventfds(kind, descriptors)

    def call(self, command: Command, payload: bytes = b"", fds: tuple[int, ...] = ()) -> bytes:
        """Send a command, wait for its answer, and give the answer's payload. Raises :class:`Refused`."""
        self._number = (self._number + 1) & 0xFFFF
        number = self._number
        deadline = min(self._channel.deadline(), self.ends)
        self._channel.send(wire.Header(number, command, 0, HeaderFlag.COMMAND, 0), payload, fds)
        while True:
            try:
                message = self._channel.receive(deadline)
            except HungUp as error:
                if command not in _ACCESSES:
                    raise
                raise DeviceDied(
                    f"the server at {self.path} closed the connection over an access that it had taken, without an answer"
                ) from error
            message.close()  # no answer to what is asked here brings a descriptor
            header = message.header
            if header.flags & HeaderFlag.TYPE == HeaderFlag.COMMAND:
                self._obey(message)
            elif header.id == number:
                break
            # Anything else answers a command that was interrupted.
        if header.command != command:
            raise DeviceMisbehaved(
                f"the server at {self.path} answers command {header.command} where {command.name} was asked"
            )
        if header.flags & HeaderFlag.ERROR:
            # The fifth field of a header is the error number.
            raise Refused(f"the server at {self.path} refuses {command.name}: {wire.reason(header[4])}", header[4])
        return message.payload

    # -- what the server asks ----------------------------------------------------------------------------------

    def attend(self, seconds: float, descriptor: int | None = None) -> None:
        """Sleep until ``descriptor`` can be read or the time is over, answering the server's commands meanwhile."""
        poller, deadline = select.poll(), time.monotonic() + seconds
        for each in (self._channel.fileno(), descriptor):
            if each is not None:
                poller.register(each, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = {each for each, _ in poller.poll(max(left, 0.0) * 1000)}
            if not ready or descriptor in ready or left <= 0:
                return
            message = self._channel.poll()
            if message is not None:
                message.close()
                if message.header.flags & HeaderFlag.TYPE == HeaderFlag.COMMAND:
                    self._obey(message)

    def _obey(self, message: Message) -> None:
        answers: dict[int, Callable[[bytes], bytes | None]] = {
            Command.DMA_READ: self._dma_read,
            Command.DMA_WRITE: self._dma_write,
        }
        answer = answers.get(message.header.command)
        payload = answer(message.payload) if answer is not None else None
        if payload is not None:
            self._channel.reply(message.header, payload)
        else:
            self._channel.reply(message.header, errno=errno.EOPNOTSUPP if answer is None else errno.EINVAL)

    def _given(self, request: bytes) -> memoryview | None:
        """The memory that a request is about: None where that is not wholly inside of a piece that was given."""
        if len(request) < wire.DMA_ACCESS.size:
            return None
        address, length = wire.DMA_ACCESS.unpack_from(request)
        for base, memory in self._memory.items():
            if 0 < length <= wire.MAX_TRANSFER and base <= address and address + length <= base + len(memory):
                return memory[address - base : address - base + length]
        return None

    def _dma_read(self, request: bytes) -> bytes | None:
        memory = self._given(request)
        return None if memory is None else request[: wire.DMA_ACCESS.size] + memory

    def _dma_write(self, request: bytes) -> bytes | None:
        memory, data = self._given(request), request[wire.DMA_ACCESS.size :]
        if memory is None or len(data) != len(memory):
            return None
        memory[:] = data
        return request[: wire.DMA_ACCESS.size]

    # -- what there is -----------------------------------------------------------------------------------------

    def regions(self) -> dict[int, int]:
        """Size in bytes of each region that is there. Raises :class:`NotVirtio` when this is no PCI device."""
        request = wire.DEVICE_INFO.pack(wire.DEVICE_INFO.size, 0, 0, 0)
        _, flags, count, _ = wire.unpack(wire.DEVICE_INFO, self.call(Command.DEVICE_GET_INFO, request), "GET_INFO")
        if not flags & wire.DeviceFlag.PCI or count <= wire.CONFIG_REGION:
            raise NotVirtio(f"{self.path} serves no PCI device: flags {flags:#x}, {count} regions")
        sizes: dict[int, int] = {}
        for region in (*range(wire.CONFIG_REGION), wire.CONFIG_REGION):
            request = wire.REGION_INFO.pack(wire.REGION_INFO.size, 0, region, 0, 0, 0)
            answer = wire.unpack(
                wire.REGION_INFO, self.call(Command.DEVICE_GET_REGION_INFO, request), "GET_REGION_INFO"
            )
            if answer[2] != region:
                raise DeviceMisbehaved(f"the server at {self.path} describes region {answer[2]} instead of {region}")
            if answer[4]:
                sizes[region] = answer[4]
        return sizes

    def interrupts(self, kind: int) -> tuple[int, IrqFlag]:
        """How many interrupts of a type there are, and what they can."""
        request = wire.IRQ_INFO.pack(wire.IRQ_INFO.size, 0, kind, 0)
        _, flags, answered, count = wire.unpack(
            wire.IRQ_INFO, self.call(Command.DEVICE_GET_IRQ_INFO, request), "GET_IRQ_INFO"
        )
        if answered != kind:
            raise DeviceMisbehaved(f"the server at {self.path} describes interrupt type {answered} instead of {kind}")
        return (count if flags & IrqFlag.EVENTFD else 0), IrqFlag(flags)

    # -- what is done ------------------------------------------------------------------------------------------

    def read(self, region: int, offset: int, width: int) -> int:
        """One access of 1, 2 or 4 bytes. All-ones when the server refuses it, as a bus answers for nobody."""
        try:
            answer = self.call(Command.REGION_READ, wire.ACCESS.pack(offset, region, width))
        except Refused:
            return (1 << 8 * width) - 1
        self._check_access(answer, offset, region, width, width)
        return int.from_bytes(answer[wire.ACCESS.size :], "little")

    def write(self, region: int, offset: int, width: int, value: int) -> None:
        """One access of 1, 2 or 4 bytes; the server has carried it out when this returns."""
        request = wire.ACCESS.pack(offset, region, width) + value.to_bytes(width, "little")
        try:
            answer = self.call(Command.REGION_WRITE, request)
        except Refused:
            return  # a bus does not tell of a write that went nowhere
        self._check_access(answer, offset, region, width, 0)

    def _check_access(self, answer: bytes, offset: int, region: int, width: int, data: int) -> None:
        fields = wire.unpack(wire.ACCESS, answer, "REGION access")
        if fields != (offset, region, width) or len(answer) != wire.ACCESS.size + data:
            raise DeviceMisbehaved(
                f"the server at {self.path} answers an access of {width} bytes at {offset:#x} of region {region} with "
                f"{len(answer) - wire.ACCESS.size} bytes for {fields[2]} at {fields[0]:#x} of region {fields[1]}"
            )

    def map(self, address: int, memory: memoryview, descriptor: int) -> None:
        """Give the device memory at a bus address: ``memory`` is what the file behind the descriptor holds."""
        self._map(address, len(memory), descriptor)
        self._memory[address] = memory
        self._files[address] = os.dup(descriptor)

    def _map(self, address: int, size: int, descriptor: int) -> None:
        flags = wire.DmaFlag.READ | wire.DmaFlag.WRITE
        self.call(Command.DMA_MAP, wire.DMA_MAP.pack(wire.DMA_MAP.size, flags, 0, address, size), (descriptor,))

    def unmap(self, address: int, size: int) -> None:
        """Take memory away from the device."""
        self._memory.pop(address, None)
        if (descriptor := self._files.pop(address, None)) is not None:
            os.close(descriptor)
        self.call(Command.DMA_UNMAP, wire.DMA_UNMAP.pack(wire.DMA_UNMAP.size, 0, address, size))

    def set_eventfds(self, kind: int, descriptors: tuple[int, ...]) -> None:
        """Signal these eventfds for the first interrupts of a type; none: no interrupts of that type any more."""
        self._eventfds[kind] = descriptors
        if not descriptors:
            self._set_irqs(IrqSet.DATA_NONE | IrqSet.TRIGGER, kind, 0, 0)
        most = min(self.capabilities.max_msg_fds, wire.MAX_FDS)
        for start in range(0, len(descriptors), most):
            some = descriptors[start : start + most]
            self._set_irqs(IrqSet.DATA_EVENTFD | IrqSet.TRIGGER, kind, start, len(some), some)

    def unmask(self, kind: int) -> None:
        """Let the first interrupt of a type through again."""
        self._set_irqs(IrqSet.DATA_NONE | IrqSet.UNMASK, kind, 0, 1)

    def _set_irqs(self, flags: IrqSet, kind: int, start: int, count: int, descriptors: tuple[int, ...] = ()) -> None:
        request = wire.SET_IRQS.pack(wire.SET_IRQS.size, flags, kind, start, count)
        self.call(Command.DEVICE_SET_IRQS, request, descriptors)

    def close(self) -> None:
        """Close the connection: the server resets the device and forgets our memory."""
        self._memory.clear()
        while self._files:
            os.close(self._files.popitem()[1])
        self._channel.close()


def _connected(path: str, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(os.path.expanduser(path))
    except OSError as error:
        connection.close()
        raise NoSuchDevice(
            f"no vfio-user server at {path}: {error.strerror or error}; start one first, for instance "
            f"`uvirtio serve rng --socket {path}`"
        ) from error
    return connection
