"""A PCI function behind a vfio-user server's socket."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import time
from functools import partial
from types import TracebackType

from ...access.clock import Clock, RealClock
from ...access.dma import Arena, DmaMemory
from ...access.interrupt import InterruptLine, NoLine
from ...access.sealed import sealed_file
from ...access.view import Region
from ...errors import CannotRun, DeviceMisbehaved, NotVirtio, UvirtioError
from ...pci.capabilities import msix_offset, walk
from ...pci.command import change_command
from ...pci.header import read_identity
from ...spec.pci import Command, Header, MsixControl
from ...vfio_user.wire import CONFIG_REGION, INTX, MSIX, IrqFlag
from .. import Surroundings, Triggers
from ..control import ControlTriggers
from ..eventfd import EventLine
from ..locator import Locator
from .client import VfioUserClient
from .elsewhere import ServedTriggers

__all__ = ["VfioUserFunction"]

#: Bus addresses begin here: above 4 GiB, and not at the offset in the memory file.
_BASE = 0x2_4680_0000
_CHUNK = 4 << 20
#: Longest time that all answers while it is opened may take together, in seconds.
_OPENING = 30.0


class _SharedMemory(Arena):
    """Memory files, each mapped here and given to the server by descriptor."""

    def __init__(self, client: VfioUserClient) -> None:
        super().__init__()
        self._client = client
        self._next = _BASE
        self._given: list[tuple[int, int, memoryview, mmap.mmap]] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """Another memory file. Raises :class:`CannotRun` when there is no memory or the server does not take it."""
        size = -(-size // _CHUNK) * _CHUNK
        address, self._next = self._next, self._next + size + _CHUNK  # a gap: what runs over the end is noticed
        try:
            descriptor = sealed_file("uvirtio-dma", size)
            try:
                mapping = mmap.mmap(descriptor, size, mmap.MAP_SHARED)
                memory = memoryview(mapping)
                self._client.map(address, memory, descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotRun(f"cannot get {size} bytes of memory: {error.strerror}") from error
        self._given.append((address, size, memory, mapping))
        return memory, address

    def close(self) -> None:
        """Take it away from the server; what somebody still holds a view of goes with that view."""
        for address, size, memory, mapping in self._given:
            with contextlib.suppress(UvirtioError):
                self._client.unmap(address, size)
            with contextlib.suppress(BufferError):
                memory.release()
                mapping.close()
        self._given.clear()


class _PolledLine(NoLine):
    """No interrupt; while it sleeps, the server's commands are answered."""

    def __init__(self, client: VfioUserClient, clock: Clock) -> None:
        super().__init__(clock, "the server offers no INTx")
        self._client = client

    def wait(self, seconds: float) -> bool:
        """Sleep one polling step."""
        self._client.attend(min(seconds, self.step))
        return False


class VfioUserFunction:
    """The function that a server serves. See :class:`~uvirtio.bus.Function`; one access is one message and its answer."""

    bus = "vfio-user"

    def __init__(self, locator: Locator, client: VfioUserClient, triggers: ControlTriggers | None) -> None:
        """Takes over ``client`` and ``triggers``. Raises :class:`NotVirtio` when no virtio-PCI device is served."""
        self.locator = str(locator)
        # What is behind the server is somebody's, as far as can be known here.
        self.surroundings = Surroundings(
            legacy=locator.flag("legacy"),
            translated=False,
            mapped=False,  # a server knows no other addresses
            kernel_vectors=False,
            disposable=False,
            echoes=False,
        )
        self.notes: tuple[str, ...] = ()
        self.clock: Clock = RealClock()
        self.triggers: Triggers | None = ServedTriggers(triggers, client) if triggers is not None else None
        self._control = triggers
        self._client = client
        client.ends = time.monotonic() + _OPENING
        self._sizes = client.regions()
        self._lines: list[EventLine] = []
        self._vectors: list[EventLine] = []
        self._closed = False
        if self._sizes.get(CONFIG_REGION, 0) < Header.SIZE:
            raise NotVirtio(f"{self.locator}: configuration space has {self._sizes.get(CONFIG_REGION, 0)} bytes")
        self.config = self._region(CONFIG_REGION)
        read_identity(self.config, self.locator)  # nothing is written to a function that is none of ours
        self._prepare_registers()
        self.dma: DmaMemory = _SharedMemory(client)
        self.line: InterruptLine = self._intx()
        client.ends = math.inf

    def _prepare_registers(self) -> None:
        """A known state, whatever an earlier client has left behind."""
        at = msix_offset(walk(self.config, self._sizes.get)[0])
        if at is not None and (control := self.config.u16[at // 2]) & MsixControl.ENABLE:
            # With MSI-X enabled ISR is unused (virtio 1.4, 4.1.4.5), and nobody would listen to its messages.
            self.config.u16[at // 2] = control & ~MsixControl.ENABLE
        change_command(
            self.config, set_bits=Command.IO | Command.MEMORY, clear_bits=Command.INTX_DISABLE | Command.BUS_MASTER
        )

    def _region(self, number: int) -> Region:
        client = self._client
        return Region.calls(
            lambda offset, width: client.read(number, offset, width),
            lambda offset, width, value: client.write(number, offset, width, value),
            self._sizes[number],
        )

    def _intx(self) -> InterruptLine:
        count, flags = self._client.interrupts(INTX)
        if not count:
            return _PolledLine(self._client, self.clock)
        # A server that announces neither has masked nothing, and may refuse to unmask it.
        masked = bool(flags & (IrqFlag.MASKABLE | IrqFlag.AUTOMASKED))
        unmask = partial(self._client.unmask, INTX) if masked else None
        line = EventLine("INTx, an eventfd from the vfio-user server", unmask, self._client.attend)
        self._lines.append(line)
        self._client.set_eventfds(INTX, (line.descriptor,))
        return line

    def bar(self, number: int) -> Region:
        """The registers of a BAR. Raises :class:`DeviceMisbehaved` where there is no such BAR."""
        if number >= Header.BARS or number not in self._sizes:
            raise DeviceMisbehaved(
                f"{self.locator}: there is no BAR {number}; the server offers {sorted(set(self._sizes) - {CONFIG_REGION})}"
            )
        return self._region(number)

    def open_vectors(self, count: int, *, events: bool) -> list[EventLine]:
        """See :class:`~uvirtio.bus.Function`: each an eventfd; none where none are offered."""
        if not events:
            return []
        count = min(count, self._client.interrupts(MSIX)[0])
        lines = self._vectors = []
        try:
            for number in range(count):
                lines.append(EventLine(f"MSI-X vector {number}", sleep=self._client.attend))
        except OSError as error:
            raise CannotRun(
                f"{self.locator}: {count} vectors need as many descriptors, and {len(lines)} were to be had: {error.strerror} "
                "(`ulimit -n`)"
            ) from error
        if lines:
            self._client.set_eventfds(MSIX, tuple(line.descriptor for line in lines))
        return lines

    def close_vectors(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""
        lines, self._vectors = self._vectors, []
        if lines:
            self._client.set_eventfds(MSIX, ())
        for line in lines:
            line.close()

    def enable_bus_mastering(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""
        change_command(self.config, set_bits=Command.BUS_MASTER)

    def facts(self) -> dict[str, str]:
        """Where the socket is and how memory is shared."""
        return {
            "hypervisor": "none: a vfio-user client in this process",
            "socket": self._client.path,
            "memory": f"memory files, bus addresses from {_BASE:#x}",
        }

    def close(self) -> None:
        """Take memory and interrupts away and close the connection, upon which the server resets; idempotent."""
        if self._closed:
            return
        self._closed = True
        self.dma.close()
        self._client.close()
        for line in (*self._lines, *self._vectors):
            line.close()
        if self._control is not None:
            self._control.close()

    def __enter__(self) -> VfioUserFunction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
