"""An open PCI function through vfio-pci."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from ...access.clock import Clock, RealClock
from ...access.dma import DmaMemory
from ...access.interrupt import InterruptLine, NoLine
from ...access.view import Region
from ...errors import CannotRun
from ...pci.capabilities import walk
from ...pci.command import change_command
from ...spec.pci import Command
from .. import Surroundings, Triggers
from ..closing import close_all
from ..eventfd import EventLine
from ..uio.bars import OpenBar
from ..uio.discovery import describe
from ..uio.given_back import undo
from ..uio.groups import sharers, told
from ..uio.hugepages import HugePageArena
from ..uio.journal import Journal
from ..uio.lock import RUN, FunctionLock
from ..uio.sysfs import VFIO_DRIVER, Sysfs
from ..uio.taking import take
from ..uio.virtual import filled_in, missing
from .asked_back import AskedBack
from .entering import enter
from .ioctls import IrqFlag, IrqIndex, RegionIndex
from .kernel import Kernel
from .mapping import IdentityArena, MappedArena
from .platform import offers_platform
from .regions import config_region, open_region

__all__ = ["VfioFunction"]


class VfioFunction:
    """A :class:`~uvirtio.bus.Function` of this machine that the kernel's VFIO gives away.

    Whatever happens to the process, the kernel then stops the device: with the last close of its file it turns bus mastering
    off, resets the function where it can, and takes its memory out of the IOMMU. So the journal holds the driver, and no
    registers.
    """

    bus: str = "vfio"

    def __init__(
        self,
        bdf: str,
        *,
        force: bool = False,
        legacy: bool = False,
        interface: str = "auto",
        sysfs: Sysfs | None = None,
        run: Path = RUN,
        kernel: Kernel | None = None,
    ) -> None:
        self.locator = f"vfio:{bdf}"
        self.clock: Clock = RealClock()
        self.triggers: Triggers | None = None
        self._bdf = bdf
        self._sysfs = sysfs or Sysfs()
        self._journal = Journal(run)
        self._bars: dict[int, OpenBar] = {}
        self._vectors: list[EventLine] = []
        self._intx: EventLine | None = None
        self._closers: list[Callable[[], object]] = []
        #: What could not be left as it was found, in sentences; filled by :meth:`close`.
        self.notes: list[str] = []
        self._lock = FunctionLock(bdf, run)
        self._closers.append(self._lock.release)
        try:
            self._open(force, legacy, interface, kernel or Kernel())
        except BaseException:
            self.close()
            raise

    def _open(self, force: bool, legacy: bool, interface: str, kernel: Kernel) -> None:
        sysfs, journal, bdf = self._sysfs, self._journal, self._bdf
        # The lock is ours, so whoever wrote this journal is dead.
        undo(sysfs, journal, bdf, kept=False)
        self.driver_before = sysfs.driver(bdf) if sysfs.exists(bdf) else None
        # Last to be closed: it gives the driver and the huge pages back, and ends the journal.
        self._closers.append(lambda: self.notes.extend(undo(sysfs, journal, bdf, kept=False)))
        take(sysfs, journal, bdf, force=force, keep=False, driver=VFIO_DRIVER)
        self.description = describe(sysfs, bdf)
        self._way = enter(kernel, sysfs, bdf, interface)
        self._closers.append(self._way.close)
        registers = config_region(self._way.device, bdf, RegionIndex.CONFIG)
        self.config = filled_in(registers, missing(self.description))
        # Mapped registers are only there while memory decoding is on. A reset by the kernel came first, so nothing is running.
        decoding = Command.MEMORY | (Command.IO if any(bar.io for bar in self.description.bars) else 0)
        change_command(self.config, set_bits=decoding, clear_bits=Command.BUS_MASTER | Command.INTX_DISABLE)
        self._closers.append(self._close_bars)
        self._asked_back = AskedBack(self._way.device, bdf)
        self._closers.append(self._asked_back.close)
        self._closers.append(self._close_lines)
        self.line: InterruptLine = self._line()
        self.dma: DmaMemory = self._memory(legacy)
        self.surroundings = Surroundings(
            legacy=legacy,
            translated=False,  # what is put on the bus is what the IOMMU was told
            mapped=isinstance(self.dma, MappedArena),
            kernel_vectors=True,
            disposable=False,  # a disk of this machine is somebody's
            echoes=False,
        )
        self._closers += [self.dma.close, self._reset, self._disable_bus_mastering]

    def _memory(self, legacy: bool) -> DmaMemory:
        if self._way.physical:
            return HugePageArena(self._sysfs, self._journal, self._bdf)
        sizes = {bar.number: bar.size for bar in self.description.bars}
        capabilities = walk(self.config, sizes.get)[0]
        if not legacy and offers_platform(self, capabilities):
            return MappedArena(self._way, self._bdf)
        # It may go past the IOMMU, as QEMU's devices do without iommu_platform=on; or not, as hardware does.
        return IdentityArena(self._sysfs, self._journal, self._bdf, self._way)

    # -- interrupts --------------------------------------------------------------------------------------------

    def _line(self) -> InterruptLine:
        count, flags = self._way.device.interrupts(IrqIndex.INTX)
        if not count or not flags & IrqFlag.EVENTFD:
            return NoLine(self.clock, "VFIO offers no INTx of the function")
        unmask = partial(self._way.device.unmask, IrqIndex.INTX) if flags & IrqFlag.AUTOMASKED else None
        self._intx = self._event_line("INTx, an eventfd from VFIO", unmask)
        self._way.device.set_events(IrqIndex.INTX, (self._intx.descriptor,))
        return self._intx

    def _event_line(self, description: str, unmask: Callable[[], None] | None = None) -> EventLine:
        return EventLine(description, unmask, self._asked_back.sleep, self._asked_back.check)

    def open_vectors(self, count: int, *, events: bool) -> Sequence[InterruptLine]:
        """See :class:`~uvirtio.bus.Function`: each an eventfd. INTx is off meanwhile: VFIO delivers one kind at a time.

        The table is the kernel's, so messages can be had as events alone.
        """
        if not events:
            return ()
        device = self._way.device
        count = min(count, device.interrupts(IrqIndex.MSIX)[0])
        if not count:
            return ()
        if self._intx is not None:
            device.set_events(IrqIndex.INTX, ())
        lines = [self._event_line(f"MSI-X vector {number}, an eventfd from VFIO") for number in range(count)]
        self._vectors = lines
        there = device.set_events(IrqIndex.MSIX, [line.descriptor for line in lines])
        for line in lines[there:]:
            line.close()
        self._vectors = lines[:there]
        return self._vectors

    def close_vectors(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""
        lines, self._vectors = self._vectors, []
        if not lines:
            return
        self._way.device.set_events(IrqIndex.MSIX, ())
        for line in lines:
            line.close()
        if self._intx is not None:
            self._way.device.set_events(IrqIndex.INTX, (self._intx.descriptor,))

    def _close_lines(self) -> None:
        for line in (*self._vectors, *([self._intx] if self._intx else [])):
            line.close()

    # -- registers and memory ----------------------------------------------------------------------------------

    def bar(self, number: int) -> Region:
        """The registers of a BAR. Raises :class:`DeviceMisbehaved` where there is none, :class:`CannotRun`."""
        if number not in self._bars:
            self._bars[number] = open_region(self._way.device, self._bdf, number)
        return self._bars[number].region

    def enable_bus_mastering(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""
        change_command(self.config, set_bits=Command.BUS_MASTER)

    def _disable_bus_mastering(self) -> None:
        change_command(self.config, clear_bits=Command.BUS_MASTER)

    def _reset(self) -> None:
        """A device that the driver could not reset must not find memory of others where ours was."""
        if self._way.device.resets:
            try:
                self._way.device.reset()
            except CannotRun as error:
                self.notes.append(f"{error}; bus mastering is off")

    def verify(self) -> None:
        """Check that DMA memory is still where the device was told. Raises :class:`CannotRun`."""
        self.dma.verify()

    def _close_bars(self) -> None:
        bars, self._bars = self._bars, {}
        for bar in bars.values():
            bar.close()

    # -- the rest ----------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, str]:
        """Where this device is: the kernel, the address, the drivers, the interrupt, the IOMMU group, the memory."""
        function, others = self.description, sharers(self._sysfs, self._bdf)
        group = "none" if function.iommu_group is None else f"group {function.iommu_group}"
        return {
            "kernel": os.uname().release,
            "address": self._bdf,
            "driver before": self.driver_before or "none",
            "vfio": self._way.description,
            "interrupt": self.line.description,
            "iommu": group + (f", shared with {told(others)}" if others else ""),
            "dma": _memory_text(self.dma),
        }

    def close(self) -> None:
        """Leave the function as it was found: reset, unmapped, closed, driver and huge pages given back.

        A step that fails does not keep the others from being done, and the first error is raised at the end. Idempotent.
        """
        close_all(self._closers)

    def __enter__(self) -> VfioFunction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _memory_text(memory: DmaMemory) -> str:
    if isinstance(memory, MappedArena):
        return "mapped in the IOMMU at bus addresses of our choice"
    if isinstance(memory, IdentityArena):
        return "huge pages of 2 MiB, mapped in the IOMMU at their physical addresses"
    return "huge pages of 2 MiB, physical addresses"
