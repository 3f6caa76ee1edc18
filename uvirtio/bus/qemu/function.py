"""A PCI function inside a QEMU without a guest, driven over qtest."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ...access.clock import Clock, RealClock
from ...access.dma import Arena, DmaMemory
from ...access.interrupt import InterruptLine, NoLine
from ...access.view import Region
from ...errors import CannotRun, DeviceMisbehaved
from ...pci.command import change_command
from ...spec.pci import Command, Header
from .. import Surroundings, Triggers
from ..control import ControlTriggers
from ..locator import Locator
from ..qmp import QmpError
from .command import DEVICE_ID, Recipe
from .machine import HIGH_MEMORY, INTERRUPTS, LOW_MEMORY, PlacedBar, Slot, route_interrupts
from .process import QemuProcess
from .qtest import Qtest
from .topology import choose, identifiers, slots
from .triggers import QemuTriggers

__all__ = ["QemuFunction"]


class _GuestMemory(Arena):
    """The guest's memory above 4 GiB, shared with QEMU."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__()
        self._size = size
        self._map = mmap.mmap(descriptor, size, mmap.MAP_SHARED)
        self._whole = memoryview(self._map)
        self._given = False

    def grow(self, size: int) -> tuple[memoryview, int]:
        """All of it at once. Raises :class:`CannotRun` when that is too little or already given."""
        room = self._size - LOW_MEMORY
        if self._given or size > room:
            raise CannotRun(f"{size} more bytes of DMA memory do not fit: the QEMU here has {room >> 20} MiB of it")
        self._given = True
        return self._whole[LOW_MEMORY:], HIGH_MEMORY

    def close(self) -> None:
        """Unmap it; what somebody still holds a view of goes with that view."""
        with contextlib.suppress(BufferError):
            self._whole.release()
            self._map.close()


class _QtestLine:
    """INTx of the one device here, as it arrives at the machine's IOAPIC."""

    description = "INTx at QEMU's IOAPIC, over qtest"
    present = True

    def __init__(self, qtest: Qtest) -> None:
        self._qtest = qtest

    def enable(self) -> None:
        """Nothing masks it."""

    def wait(self, seconds: float) -> bool:
        """Whether the line is high, or becomes so in this time."""
        return self._qtest.wait(INTERRUPTS, seconds)

    def count(self) -> int:
        """How often the line was raised."""
        return self._qtest.count(INTERRUPTS)


class QemuFunction:
    """A virtio function that the locator's options put into QEMU. See :class:`~uvirtio.bus.Function`."""

    bus = "qemu"

    def __init__(self, locator: Locator, process: QemuProcess, recipe: Recipe) -> None:
        """Takes over ``process`` and ``recipe``. Raises :class:`NoSuchDevice` when there is no virtio function in it."""
        self.locator = str(locator)
        self.process = process
        self.clock: Clock = RealClock()
        self._recipe = recipe
        self.surroundings = Surroundings(
            legacy=locator.flag("legacy"),
            translated=False,  # the driver's memory is where the machine has it
            mapped=False,
            kernel_vectors=False,
            disposable=recipe.disposable,
            echoes=locator.parameters.get("peer") == "echo",
            peer=recipe.peer,
        )
        self.notes: tuple[str, ...] = ()
        self._qtest = process.qtest
        everything = slots(self._qtest)
        self._slot = self._find(everything, locator.parameters.get("device"))
        self.config: Region = self._slot.config
        watched = route_interrupts(self._qtest, everything)
        self._bars: dict[int, PlacedBar] = self._slot.set_up()
        self.line: InterruptLine = self._make_line(watched)
        self.dma: DmaMemory = _GuestMemory(recipe.memory, recipe.memory_size)
        self._control = ControlTriggers(recipe.control) if recipe.control else None
        self.triggers: Triggers | None = QemuTriggers(process, recipe, self._slot, self._control)

    def _find(self, everything: list[Slot], wanted: str | None) -> Slot:
        try:
            ids = identifiers(self.process.qmp.execute("query-pci"))
        except QmpError:
            ids = {}
        return choose(everything, ids, wanted, DEVICE_ID, self.locator)

    def _make_line(self, watched: bool) -> InterruptLine:
        if not self.config.u8[Header.INTERRUPT_PIN]:
            return NoLine(self.clock, "the function has no interrupt pin")
        if not watched:
            return NoLine(self.clock, "this QEMU does not report its interrupt lines")
        return _QtestLine(self._qtest)

    def bar(self, number: int) -> Region:
        """The registers of a BAR; one access is one qtest command. Raises :class:`DeviceMisbehaved` without such a BAR."""
        bar = self._bars.get(number)
        if bar is None:
            raise DeviceMisbehaved(f"{self.locator}: there is no BAR {number}; the function has {sorted(self._bars)}")
        read, write = (
            (self._qtest.read_port, self._qtest.write_port)
            if bar.io
            else (self._qtest.read_memory, self._qtest.write_memory)
        )
        slot = self._slot
        return Region.calls(
            # Where no device answers, a PCI bus reads all-ones; QEMU's memory reads zeros there.
            lambda offset, width: (1 << 8 * width) - 1 if slot.empty else read(bar.address + offset, width),
            lambda offset, width, value: write(bar.address + offset, width, value),
            bar.size,
        )

    def enable_bus_mastering(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""
        change_command(self.config, set_bits=Command.BUS_MASTER)

    def open_vectors(self, count: int, *, events: bool) -> Sequence[InterruptLine]:
        """See :class:`~uvirtio.bus.Function`: messages go to memory, and nobody here receives them as events."""
        return ()

    def close_vectors(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""

    def facts(self) -> dict[str, str]:
        """QEMU's version and path, the machine, and how the device is reached."""
        qmp = self.process.qmp
        version = ".".join(map(str, qmp.version))
        try:
            machine = str(qmp.execute("qom-get", {"path": "/machine", "property": "type"})).removesuffix("-machine")
        except QmpError:
            machine = "unknown"
        return {
            "hypervisor": f"QEMU {version}" + (f" ({qmp.package})" if qmp.package else ""),
            "qemu": self.process.binary,
            "machine": f"{machine}, no guest (qtest)",
            "address": self._slot.name,
            "memory": f"{self._recipe.memory_size >> 20} MiB, the driver's part from {HIGH_MEMORY:#x}",
        }

    def close(self) -> None:
        """End QEMU and give everything back; idempotent."""
        if self._control is not None:
            self._control.close()
        self.process.close()
        self.dma.close()
        self._recipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
