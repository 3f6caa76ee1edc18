"""The client of a vfio-user server: commands out, answers in, every answer bounded and checked."""

from __future__ import annotations

import errno
import os
import socket

from ...errors import CannotRun, DeviceError, DeviceMisbehaved, NoSuchDevice, NotVirtio
from ...vfio_user import wire
from ...vfio_user.channel import Channel
from ...vfio_user.wire import Command, HeaderFlag

__all__ = ["Refused", "VfioUserClient"]

_MAJOR, _MINOR = 0, 0


class Refused(DeviceMisbehaved):
    """The server answered a command with an error number, ``number``."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class VfioUserClient:
    """A connection with the version agreed. ``timeout`` in seconds bounds every answer.

    Raises :class:`NoSuchDevice` when nobody listens and :class:`CannotRun` when it is no vfio-user server (or one that
    serves somebody else); afterwards :class:`DeviceGone`, :class:`DeviceTimeout`, :class:`DeviceMisbehaved`.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self.path = path
        self._number = 0
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
        self._channel = Channel(connection, f"the server at {path}", timeout)
        try:
            self.capabilities = self._agree()
        except BaseException:
            self.close()
            raise

    def _agree(self) -> dict[str, object]:
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

    def call(self, command: Command, payload: bytes = b"", fds: tuple[int, ...] = ()) -> bytes:
        """Send a command, wait for its answer, and give the answer's payload. Raises :class:`Refused`."""
        self._number = (self._number + 1) & 0xFFFF
        number = self._number
        self._channel.send(wire.Header(number, command, 0, HeaderFlag.COMMAND, 0), payload, fds)
        while True:
            message = self._channel.receive()
            message.close()  # no answer to what is asked here brings a descriptor
            header = message.header
            if header.flags & HeaderFlag.TYPE == HeaderFlag.COMMAND:
                # A server may ask for memory by message; ours is shared, so that it need not.
                self._channel.reply(header, errno=errno.EOPNOTSUPP)
            elif header.id == number:
                break
            # Anything else answers a command that was interrupted.
        if header.command != command:
            raise DeviceMisbehaved(
                f"the server at {self.path} answers command {header.command} where {command.name} was asked"
            )
        if header.flags & HeaderFlag.ERROR:
            # The fifth field of a header is the error number.
            reason = os.strerror(header[4]) if header[4] else "no reason given"
            raise Refused(f"the server at {self.path} refuses {command.name}: {reason}", header[4])
        return message.payload

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

    def interrupts(self, kind: int) -> int:
        """How many interrupts of a type there are."""
        request = wire.IRQ_INFO.pack(wire.IRQ_INFO.size, 0, kind, 0)
        _, flags, answered, count = wire.unpack(
            wire.IRQ_INFO, self.call(Command.DEVICE_GET_IRQ_INFO, request), "GET_IRQ_INFO"
        )
        if answered != kind:
            raise DeviceMisbehaved(f"the server at {self.path} describes interrupt type {answered} instead of {kind}")
        return count if flags & wire.IrqFlag.EVENTFD else 0

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

    def map(self, address: int, size: int, descriptor: int, offset: int = 0) -> None:
        """Give the device memory: ``size`` bytes at a bus address, from ``offset`` of a file descriptor."""
        flags = wire.DmaFlag.READ | wire.DmaFlag.WRITE
        request = wire.DMA_MAP.pack(wire.DMA_MAP.size, flags, offset, address, size)
        self.call(Command.DMA_MAP, request, (descriptor,))

    def unmap(self, address: int, size: int) -> None:
        """Take memory away from the device."""
        self.call(Command.DMA_UNMAP, wire.DMA_UNMAP.pack(wire.DMA_UNMAP.size, 0, address, size))

    def set_eventfds(self, kind: int, descriptors: tuple[int, ...]) -> None:
        """Signal these eventfds for the first interrupts of a type; none: no interrupts of that type any more."""
        if descriptors:
            flags = wire.IrqSet.DATA_EVENTFD | wire.IrqSet.TRIGGER
        else:
            flags = wire.IrqSet.DATA_NONE | wire.IrqSet.TRIGGER
        request = wire.SET_IRQS.pack(wire.SET_IRQS.size, flags, kind, 0, len(descriptors))
        self.call(Command.DEVICE_SET_IRQS, request, descriptors)

    def unmask(self, kind: int) -> None:
        """Let the first interrupt of a type through again."""
        flags = wire.IrqSet.DATA_NONE | wire.IrqSet.UNMASK
        self.call(Command.DEVICE_SET_IRQS, wire.SET_IRQS.pack(wire.SET_IRQS.size, flags, kind, 0, 1))

    def close(self) -> None:
        """Close the connection: the server resets the device and forgets our memory."""
        self._channel.close()
