"""One client of the vfio-user server: its messages, its memory, its interrupts."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import ExitStack, suppress

from ..errors import DeviceMisbehaved
from ..spec.pci import Header as PciHeader
from ..vfio_user import wire
from ..vfio_user.channel import Channel, Message
from ..vfio_user.wire import Command, HeaderFlag
from .client_memory import ClientMemory
from .client_requests import Refused, check_irqs, fields
from .function import EmulatedFunction
from .irq import IntxLine, Vectors, checked_eventfd
from .layout import BARS
from .loop import Loop
from .memory import MappedMemory

__all__ = ["Session"]


class Session:
    """Answers the commands of one client. ``ready`` is called when its socket has something to read.

    ``tell`` and ``unsealed``: see :class:`.client_memory.ClientMemory`.
    """

    def __init__(
        self,
        channel: Channel,
        function: EmulatedFunction,
        memory: MappedMemory,
        loop: Loop,
        tell: Callable[[str], None] = lambda sentence: None,
        unsealed: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._function = function
        self._memory = ClientMemory(memory, function.log, tell, unsealed)
        self._loop = loop
        self._versioned = False
        self._full = False
        self._room = select.poll()
        self._room.register(channel, select.POLLOUT)
        self._unmask_fd: int | None = None
        self.intx = IntxLine()
        self.vectors = Vectors(function.vectors)
        self._level = False
        #: Called before the first access to a register.
        self.begins: Callable[[], None] | None = None
        self.attach(function)
        self._handlers: dict[int, Callable[[Message], bytes]] = {
            Command.DMA_MAP: self._dma_map,
            Command.DMA_UNMAP: self._dma_unmap,
            Command.DEVICE_GET_INFO: self._device_info,
            Command.DEVICE_GET_REGION_INFO: self._region_info,
            Command.DEVICE_GET_IRQ_INFO: self._irq_info,
            Command.DEVICE_SET_IRQS: self._set_irqs,
            Command.REGION_READ: self._region_read,
            Command.REGION_WRITE: self._region_write,
            Command.DEVICE_RESET: self._reset,
        }

    def attach(self, function: EmulatedFunction) -> None:
        """From now on it is this function that is served."""
        self._function = function
        self._level = False
        function.interrupts.on_level = self._on_level
        function.table.receiver = self.vectors.send
        function.pci.on_command = self._update_line

    # The line

    def _on_level(self, asserted: bool) -> None:
        self._level = asserted
        self._update_line()

    def _update_line(self) -> None:
        self.intx.level(self._level and not self._function.pci.intx_disabled)

    # Messages

    def ready(self) -> None:
        """Answer what has come in, for a turn. Raises :class:`UvirtioError` when the session is over."""
        while self._has_room():
            if (message := self._channel.poll()) is None:
                return
            try:
                self._answer(message)
            finally:
                message.close()
            if self._loop.turn_over():
                return

    def _has_room(self) -> bool:
        """Whether an answer finds room. A client that takes none is not waited for: it is asked for no more."""
        there = bool(self._room.poll(0))
        if there is self._full:
            self._full = not there
            self._loop.await_room(self._channel, self._full)
        return there

    def _answer(self, message: Message) -> None:
        header = message.header
        if header.flags & HeaderFlag.TYPE != HeaderFlag.COMMAND:
            raise DeviceMisbehaved(f"the client sent a reply (command {header.command}) where none was expected")
        if header.command == Command.VERSION and not self._versioned:
            self._channel.reply(header, self._version(message))
            return
        if not self._versioned:
            raise DeviceMisbehaved(f"the client began with command {header.command} instead of VERSION")
        handler = self._handlers.get(header.command)
        try:
            if handler is None:
                raise Refused(errno.EOPNOTSUPP, f"command {header.command} is not supported")
            payload = handler(message)
        except Refused as refusal:
            self._function.log.event("message refused", str(refusal))
            self._channel.reply(header, errno=refusal.number)
        except OSError as error:  # a descriptor that the client gave
            self._function.log.event("message refused", str(error))
            self._channel.reply(header, errno=error.errno or errno.EINVAL)
        else:
            self._channel.reply(header, payload)

    def _version(self, message: Message) -> bytes:
        major, minor, _ = wire.unpack_version(message.payload)
        if major != 0:
            raise DeviceMisbehaved(f"the client speaks vfio-user {major}.{minor}; this server speaks 0.1")
        self._versioned = True
        return wire.pack_version(0, min(minor, 1))

    # Memory

    def _dma_map(self, message: Message) -> bytes:
        self._memory.map(wire.DmaMap(*fields(wire.DMA_MAP, message, "DMA_MAP")), message.fds)
        return b""

    def _dma_unmap(self, message: Message) -> bytes:
        request = wire.DmaUnmap(*fields(wire.DMA_UNMAP, message, "DMA_UNMAP"))
        self._memory.unmap(request)
        return wire.DMA_UNMAP.pack(*request)

    # What the device is

    def _device_info(self, message: Message) -> bytes:
        fields(wire.DEVICE_INFO, message, "GET_INFO")
        flags = wire.DeviceFlag.RESET | wire.DeviceFlag.PCI
        return wire.DEVICE_INFO.pack(wire.DEVICE_INFO.size, flags, wire.REGIONS, wire.IRQS)

    def _region_info(self, message: Message) -> bytes:
        request = wire.RegionInfo(*fields(wire.REGION_INFO, message, "GET_REGION_INFO"))
        if request.region >= wire.REGIONS:
            raise Refused(errno.EINVAL, f"there is no region {request.region}")
        size = PciHeader.SIZE if request.region == wire.CONFIG_REGION else BARS.get(request.region, 0)
        flags = wire.RegionFlag.READ | wire.RegionFlag.WRITE if size else 0
        return wire.REGION_INFO.pack(wire.REGION_INFO.size, flags, request.region, 0, size, 0)

    def _irq_count(self, index: int) -> int:
        if index >= wire.IRQS:
            raise Refused(errno.EINVAL, f"there is no interrupt type {index}")
        return {wire.INTX: int(self._function.options.intx), wire.MSIX: self._function.vectors}.get(index, 0)

    def _irq_info(self, message: Message) -> bytes:
        request = wire.IrqInfo(*fields(wire.IRQ_INFO, message, "GET_IRQ_INFO"))
        count = self._irq_count(request.kind)
        flags = wire.IrqFlag.EVENTFD | wire.IrqFlag.NO_RESIZE if count else 0
        if request.kind == wire.INTX and count:
            flags = wire.IrqFlag.EVENTFD | wire.IrqFlag.MASKABLE | wire.IrqFlag.AUTOMASKED
        return wire.IRQ_INFO.pack(wire.IRQ_INFO.size, flags, request.kind, count)

    # Interrupts

    def _set_irqs(self, message: Message) -> bytes:
        request = wire.SetIrqs(*fields(wire.SET_IRQS, message, "SET_IRQS"))
        check_irqs(request, self._irq_count(request.kind), message)
        if request.flags & wire.IrqSet.TRIGGER:
            self._set_triggers(request, message)
        elif request.kind != wire.INTX:
            raise Refused(errno.EOPNOTSUPP, "only INTx can be masked here; the MSI-X table is the client's")
        elif request.flags & wire.IrqSet.DATA_EVENTFD:
            if request.flags & wire.IrqSet.MASK:
                raise Refused(errno.EOPNOTSUPP, "INTx is not masked through an eventfd")
            self._watch_unmask(message.fds.pop(0) if message.fds else None)
        elif request.flags & wire.IrqSet.DATA_NONE or message.payload[wire.SET_IRQS.size]:
            (self.intx.mask if request.flags & wire.IrqSet.MASK else self.intx.unmask)()
        return b""

    def _set_triggers(self, request: wire.SetIrqs, message: Message) -> None:
        if request.flags & wire.IrqSet.DATA_EVENTFD:
            for fd in message.fds:
                checked_eventfd(fd)
            for vector in range(request.start, request.start + request.total):
                self._install(request.kind, vector, message.fds.pop(0) if message.fds else None)
        elif not request.total:
            for vector in range(self._irq_count(request.kind)):
                self._install(request.kind, vector, None)
        else:
            raise Refused(errno.EOPNOTSUPP, "interrupts cannot be raised from the client's side")

    def _install(self, index: int, vector: int, fd: int | None) -> None:
        if index == wire.INTX:
            self.intx.install(fd)
        else:
            self.vectors.install(vector, fd)

    def _watch_unmask(self, fd: int | None) -> None:
        """A client that unmasks through an eventfd of its own (QEMU does, with KVM)."""
        old, self._unmask_fd = self._unmask_fd, fd
        if old is not None:
            self._loop.forget(old)
            os.close(old)
        if fd is not None:
            self._loop.watch(checked_eventfd(fd), self._unmask_signalled, lambda error: self._watch_unmask(None))

    def _unmask_signalled(self) -> None:
        if self._unmask_fd is not None:
            os.set_blocking(self._unmask_fd, False)
            with suppress(BlockingIOError):
                os.read(self._unmask_fd, 8)
                self.intx.unmask()

    # Registers

    def _access(self, message: Message) -> wire.Access:
        begins, self.begins = self.begins, None
        if begins is not None:
            begins()
        access = wire.Access(*fields(wire.ACCESS, message, "REGION access"))
        size = PciHeader.SIZE if access.region == wire.CONFIG_REGION else BARS.get(access.region, 0)
        if access.length == 0 or access.offset + access.length > size:
            raise Refused(errno.EINVAL, f"{access.length} bytes at {access.offset:#x} of region {access.region}")
        return access

    def _region_read(self, message: Message) -> bytes:
        access = self._access(message)
        data = b""
        for offset, width in _pieces(access):
            if access.region == wire.CONFIG_REGION:
                value = self._function.config_read(offset, width)
            else:
                value = self._function.bar_read(access.region, offset, width)
            data += value.to_bytes(width, "little")
        return wire.ACCESS.pack(*access) + data

    def _region_write(self, message: Message) -> bytes:
        access = self._access(message)
        data = message.payload[wire.ACCESS.size :]
        if len(data) != access.length:
            raise Refused(errno.EINVAL, f"REGION_WRITE of {access.length} bytes that carries {len(data)}")
        for offset, width in _pieces(access):
            at = offset - access.offset
            value = int.from_bytes(data[at : at + width], "little")
            if access.region == wire.CONFIG_REGION:
                self._function.config_write(offset, width, value)
            else:
                self._function.bar_write(access.region, offset, width, value)
        return wire.ACCESS.pack(*access)

    def _reset(self, message: Message) -> bytes:
        self._function.reset()
        return b""

    def close(self) -> None:
        """The client is gone: the device is reset and can reach no memory any more.

        Each of that is done, whatever becomes of the others.
        """
        self._loop.forget(self._channel)
        with ExitStack() as stack:
            stack.callback(self._channel.close)
            stack.callback(self.vectors.close)
            stack.callback(self.intx.close)
            stack.callback(self._watch_unmask, None)
            stack.callback(self._memory.clear)
            stack.callback(self._function.reset)


def _pieces(access: wire.Access) -> list[tuple[int, int]]:
    """An access as naturally aligned accesses of 1, 2 or 4 bytes; what is one already stays one."""
    pieces = []
    offset, end = access.offset, access.offset + access.length
    while offset < end:
        width = next(width for width in (4, 2, 1) if offset % width == 0 and offset + width <= end)
        pieces.append((offset, width))
        offset += width
    return pieces
