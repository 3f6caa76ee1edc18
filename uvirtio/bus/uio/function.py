"""An open PCI function through uio_pci_generic."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ...access.clock import Clock, RealClock
from ...access.dma import DmaMemory
from ...access.interrupt import InterruptLine, NoLine
from ...access.view import Region
from ...errors import LocatorError
from ...pci.capabilities import msix_offset, walk
from ...pci.command import change_command
from ...pci.msix import VectorTable, table_place
from ...spec.pci import CapabilityId, Command, Header, MsixControl
from .. import Surroundings, Triggers
from ..closing import close_all
from ..locator import Locator
from .bars import OpenBar, open_bar, port_region
from .binding import take, undo
from .discovery import describe, resolve
from .hugepages import HugePageArena
from .journal import Journal, Opened, Table
from .line import UioLine
from .lock import RUN, FunctionLock
from .sysfs import Sysfs, explain
from .virtual import filled_in, missing

__all__ = ["UioFunction", "open_uio"]


def open_uio(
    locator: Locator | str, *, force: bool = False, sysfs: Sysfs | None = None, run: Path = RUN
) -> UioFunction:
    """Open the function that a locator of this bus names, taking it from its driver for as long as it is open.

    A function that is on uio_pci_generic already is left there. Raises :class:`CannotRun` in its many forms (not root,
    no such device, busy, in use, module missing), and :class:`LocatorError` for a parameter other than ``legacy=on``,
    which asks for the legacy interface of a transitional device.
    """
    if isinstance(locator, str):
        locator = Locator("uio", locator)
    locator.check_parameters("legacy")
    legacy = locator.flag("legacy")
    if locator.bus != "uio":
        raise LocatorError(f"{locator} is not a device of this machine's PCI bus")
    sysfs = sysfs or Sysfs()
    return UioFunction(resolve(locator.target, sysfs), force=force, legacy=legacy, sysfs=sysfs, run=run)


class UioFunction:
    """A :class:`~uvirtio.bus.Function` of this machine.

    ``/dev/uioN`` stays open all the time: the kernel turns bus mastering off at its last close, whatever happened to
    the process. Bus mastering is off until :meth:`enable_bus_mastering`, so that a function that is only looked at, or
    that an earlier driver left running, does not reach memory.
    """

    bus: str = "uio"

    def __init__(
        self,
        bdf: str,
        *,
        force: bool = False,
        legacy: bool = False,
        sysfs: Sysfs | None = None,
        run: Path = RUN,
    ) -> None:
        self.locator = bdf
        self.clock: Clock = RealClock()
        self.triggers: Triggers | None = None
        self._sysfs = sysfs or Sysfs()
        self._journal = Journal(run)
        self._bars: dict[int, OpenBar] = {}
        self._closers: list[Callable[[], object]] = []
        #: What could not be left as it was found, in sentences; filled by :meth:`close`.
        self.notes: list[str] = []
        self._lock = FunctionLock(bdf, run)
        self._closers.append(self._lock.release)
        try:
            self._open(force, legacy)
        except BaseException:
            self.close()
            raise

    def _open(self, force: bool, legacy: bool) -> None:
        sysfs, journal, bdf = self._sysfs, self._journal, self.locator
        # The lock is ours, so whoever wrote this journal is dead: stop the device and put its registers back first.
        undo(sysfs, journal, bdf, kept=False)
        self.driver_before = sysfs.driver(bdf) if sysfs.exists(bdf) else None
        # Last to be closed: it gives the driver and the huge pages back, and ends the journal.
        self._closers.append(lambda: self.notes.extend(undo(sysfs, journal, bdf, kept=False)))
        self.uio = take(sysfs, journal, bdf, force=force, keep=False)
        self.description = describe(sysfs, bdf)
        self.surroundings = Surroundings(
            legacy=legacy,
            translated=self.description.translated,
            mapped=False,
            kernel_vectors=False,
            disposable=False,  # a disk of this machine is somebody's
            echoes=False,
        )
        handle = self._keep_open(sysfs.dev / self.uio)
        config = self._keep_open(sysfs.function(bdf) / "config")
        registers = port_region(config, max(Header.SIZE, os.fstat(config).st_size))
        self.config = filled_in(registers, missing(self.description))
        self._prepare_registers()
        self.line: InterruptLine = self._interrupt(handle)
        self._arena = HugePageArena(sysfs, journal, bdf)
        self.dma: DmaMemory = self._arena
        self._closers += [self._arena.close, self._close_bars, self._disable_bus_mastering]

    def _keep_open(self, path: Path) -> int:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise explain(error, f"opening {path}") from error
        self._closers.append(lambda: os.close(handle))
        return handle

    def _prepare_registers(self) -> None:
        command = self.config.u16[Header.COMMAND // 2]
        at = msix_offset(walk(self.config, self._sizes().get)[0])
        control = self.config.u16[at // 2] if at is not None else 0
        opened = Opened(command, msix=(at, control) if at is not None else None)
        self._journal.change(self.locator, opened=opened)
        # With MSI-X enabled ISR is unused (virtio 1.4, 4.1.4.5), and nobody here would see its messages.
        if at is not None and control & MsixControl.ENABLE:
            self.config.u16[at // 2] = control & ~MsixControl.ENABLE
        decoding = Command.MEMORY | (Command.IO if any(bar.io for bar in self.description.bars) else 0)
        # A virtual function must not have INTx, and one that asserts it all the same would do so on a line that nobody serves.
        masked = Command.INTX_DISABLE if self.description.physical is not None else 0
        change_command(self.config, set_bits=decoding | masked, clear_bits=Command.BUS_MASTER)
        self._opened = opened

    def _sizes(self) -> dict[int, int]:
        return {bar.number: bar.size for bar in self.description.bars}

    def _interrupt(self, handle: int) -> InterruptLine:
        grouped = self.description.iommu_group is not None
        instead = f"; vfio:{self.locator} delivers MSI-X" if grouped else ""
        if self.description.physical is not None:
            return NoLine(
                self.clock, f"a virtual function has no INTx, and uio_pci_generic passes nothing else on{instead}"
            )
        if self.description.identity.interrupt_pin == 0:
            return NoLine(self.clock, f"the function has no interrupt pin{instead}")
        if self._sysfs.number(self._sysfs.function(self.locator) / "irq") == 0:
            return NoLine(self.clock, "the kernel has no interrupt number for the function's pin")
        total = self._sysfs.number(self._sysfs.function(self.locator) / "uio" / self.uio / "event")
        return UioLine(handle, self.uio, self.config, total)

    def enable_bus_mastering(self) -> None:
        """See :class:`~uvirtio.bus.Function`. The journal says first that the device is driven."""
        if not self._opened.driven:
            self._opened = replace(self._opened, driven=True)
            self._journal.change(self.locator, opened=self._opened)
        change_command(self.config, set_bits=Command.BUS_MASTER)

    def _disable_bus_mastering(self) -> None:
        change_command(self.config, clear_bits=Command.BUS_MASTER)

    def bar(self, number: int) -> Region:
        """The registers of a BAR. Raises :class:`DeviceMisbehaved` where there is none, :class:`CannotRun`."""
        if number not in self._bars:
            self._bars[number] = open_bar(self._sysfs, self.locator, number)
        return self._bars[number].region

    def open_vectors(self, count: int, *, events: bool) -> Sequence[InterruptLine]:
        """See :class:`~uvirtio.bus.Function`: the journal holds them first; uio_pci_generic delivers none as an event."""
        found = next(each for each in walk(self.config, self._sizes().get)[0] if each.id == CapabilityId.MSIX)
        table = VectorTable(self.config, self.bar, found)
        vectors = map(table.vector, range(min(count, table.count)))
        entries = tuple((vector.address, vector.data, vector.control) for vector in vectors)
        self._opened = replace(self._opened, table=Table(*table_place(found, MsixControl.TABLE), entries))
        self._journal.change(self.locator, opened=self._opened)
        return ()

    def close_vectors(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""

    def facts(self) -> dict[str, str]:
        """Where this device is: the kernel, the address, the drivers, the interrupt, the IOMMU, the memory."""
        function = self.description
        if function.iommu_group is None:
            iommu = "none"
        else:
            iommu = f"group {function.iommu_group}, {function.iommu_type or 'type unknown'}"
        return {
            "kernel": os.uname().release,
            "address": self.locator,
            "driver before": self.driver_before or "none",
            "uio": self.uio,
            "interrupt": self.line.description,
            "iommu": iommu,
            "dma": "huge pages of 2 MiB, physical addresses",
        }

    def verify(self) -> None:
        """Check that DMA memory is still where the device was told. Raises :class:`CannotRun`."""
        self._arena.verify()

    def _close_bars(self) -> None:
        bars, self._bars = self._bars, {}
        for bar in bars.values():
            bar.close()

    def close(self) -> None:
        """Leave the function as it was found: bus mastering off, unmapped, uio closed, driver and huge pages given back.

        The device has been reset before; a step that fails does not keep the others from being done, and the first
        error is raised at the end. Idempotent.
        """
        close_all(self._closers)

    def __enter__(self) -> UioFunction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
