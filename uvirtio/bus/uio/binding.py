"""Taking a function for uio_pci_generic, and giving it back.

Only ``driver_override`` and ``drivers_probe`` are used: ``new_id`` would take every device with the same id. What is
changed is in the journal first. Whoever calls :func:`take` or :func:`undo` holds the function's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...access.clock import RealClock
from ...access.wait import YES, poll
from ...errors import CannotRun, InUse, ModuleMissing, NoSuchDevice, NotVirtio, PrivilegeMissing, UvirtioError
from ...spec.pci import CapabilityId, Command, Header, MsixControl
from .discovery import describe
from .hugepages import give_back
from .inuse import uses
from .journal import Binding, Journal, Opened
from .lock import RUN, FunctionLock
from .quiesce import stop
from .sysfs import UIO_DRIVER, Sysfs
from .vectors import put_table_back

__all__ = ["Bound", "Restored", "bind", "pending", "restore", "restore_all", "take", "undo"]

#: Longest time until ``/dev/uioN`` is there after the driver has the device, in seconds.
_DEVICE_TIME = 10.0
#: Bits of the command register that driving a function changes.
_CHANGED = Command.IO | Command.MEMORY | Command.BUS_MASTER | Command.INTX_DISABLE


@dataclass(frozen=True, slots=True)
class Bound:
    """What :func:`bind` did: the function, its UIO device, the driver before; ``already``: it was on UIO."""

    bdf: str
    uio: str
    before: str | None
    already: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What :func:`restore` did: the function, its driver now, and sentences about what did not work."""

    bdf: str
    driver: str | None
    notes: tuple[str, ...] = ()


def bind(bdf: str, *, force: bool = False, sysfs: Sysfs | None = None, run: Path = RUN) -> Bound:
    """Take a function for good, until :func:`restore`. ``force`` takes it from whoever uses it.

    Raises :class:`CannotRun` in its many forms; then nothing is changed, or it has been put back.
    """
    sysfs, journal = sysfs or Sysfs(), Journal(run)
    _require(sysfs, bdf)
    if sysfs.dry_run:
        before = sysfs.driver(bdf)
        return Bound(bdf, take(sysfs, journal, bdf, force=force, keep=True), before, before == UIO_DRIVER)
    with FunctionLock(bdf, run):
        undo(sysfs, journal, bdf, kept=False)
        before = sysfs.driver(bdf)
        return Bound(bdf, take(sysfs, journal, bdf, force=force, keep=True), before, before == UIO_DRIVER)


def restore(bdf: str, *, sysfs: Sysfs | None = None, run: Path = RUN, kept: bool = True) -> Restored:
    """Give a function back to the driver that it had; without a journal, to the one that the kernel chooses.

    ``kept`` False leaves a function that was bound on purpose on UIO, and undoes only what a run has changed.
    Raises :class:`DeviceBusy` while another process drives it, :class:`NoSuchDevice`.
    """
    sysfs, journal = sysfs or Sysfs(), Journal(run)
    with FunctionLock(bdf, run):
        entry = journal.read(bdf)
        if entry is None:
            _require(sysfs, bdf)
            if not kept or (sysfs.driver(bdf) != UIO_DRIVER and sysfs.override(bdf) != UIO_DRIVER):
                return Restored(bdf, sysfs.driver(bdf))
            notes = [f"{bdf}: there is no journal, so the kernel chose the driver"]
            notes += _rebind(sysfs, bdf, Binding(None, "", True), probe=True)
        else:
            notes = undo(sysfs, journal, bdf, kept=kept)
        return Restored(bdf, sysfs.driver(bdf), tuple(notes))


def restore_all(*, sysfs: Sysfs | None = None, run: Path = RUN) -> list[Restored | UvirtioError]:
    """Restore every function that has a journal; one that fails does not keep the others from it."""
    done: list[Restored | UvirtioError] = []
    for bdf in pending(run):
        try:
            done.append(restore(bdf, sysfs=sysfs, run=run))
        except UvirtioError as error:
            done.append(error)
        except Exception as error:
            # Whatever it is: the other devices are to be given back.
            done.append(CannotRun(f"{bdf} could not be given back: {type(error).__name__}: {error}"))
    return done


def pending(run: Path = RUN) -> list[str]:
    """The functions that :func:`restore_all` would restore."""
    return Journal(run).pending()


# -- taking ------------------------------------------------------------------------------------------------------------


def _require(sysfs: Sysfs, bdf: str) -> None:
    if not sysfs.exists(bdf):
        raise NoSuchDevice(f"there is no PCI function {bdf}; `uvirtio list` shows the virtio functions of this machine")


def take(sysfs: Sysfs, journal: Journal, bdf: str, *, force: bool, keep: bool) -> str:
    """Bind a function to uio_pci_generic and wait for its UIO device, whose name is returned (``uio0``).

    Raises :class:`NoSuchDevice`, :class:`NotVirtio`, :class:`PrivilegeMissing`, :class:`ModuleMissing`, :class:`InUse`,
    :class:`CannotRun`; then nothing is changed, or it has been put back.
    """
    _require(sysfs, bdf)
    function = describe(sysfs, bdf)
    if not function.identity.is_virtio:
        raise NotVirtio(
            f"{bdf} is {function.identity.vendor:04x}:{function.identity.device:04x}, not a virtio device (1af4:1000-107f); "
            "`uvirtio list` shows those that are"
        )
    _require_privilege(sysfs, bdf)
    using = [] if force else uses(sysfs, function, probe=True)
    if using:
        raise InUse(
            f"{bdf} ({function.identity.type_name}) is in use: {'; '.join(using)}. End that first, or take it with --force"
        )
    entry = journal.read(bdf)
    binding = entry.binding if entry else None
    if function.driver == UIO_DRIVER:
        if binding is not None and keep and not sysfs.dry_run:
            journal.change(bdf, binding=replace(binding, kept=True))
        return _await_uio(sysfs, bdf)
    _require_module(sysfs)
    if binding is None or (function.driver is not None and function.driver_override != UIO_DRIVER):
        # Otherwise a process died half-way, and what it wrote down is what the function had.
        binding = Binding(function.driver, function.driver_override, keep)
    if not sysfs.dry_run:
        journal.change(bdf, binding=replace(binding, kept=binding.kept or keep))
    try:
        at = sysfs.function(bdf)
        sysfs.write(at / "driver_override", UIO_DRIVER)
        if function.driver is not None:
            sysfs.write(at / "driver/unbind", bdf)
        sysfs.write(sysfs.sys / "bus/pci/drivers_probe", bdf)
        if sysfs.dry_run:
            return "uio?"
        if sysfs.driver(bdf) != UIO_DRIVER:
            raise CannotRun(_why_refused(sysfs, bdf))
        return _await_uio(sysfs, bdf)
    except BaseException:
        undo(sysfs, journal, bdf, kept=True)
        raise


def _require_privilege(sysfs: Sysfs, bdf: str) -> None:
    if not sysfs.dry_run and not os.access(sysfs.function(bdf) / "driver_override", os.W_OK):
        raise PrivilegeMissing(
            f"no permission to change the driver of {bdf}: run it as root (sudo uvirtio ...), with /sys writable"
        )
    state = sysfs.read(sysfs.sys / "kernel/security/lockdown")
    if "[integrity]" in state or "[confidentiality]" in state:
        raise PrivilegeMissing(
            f"the kernel is locked down ({state}), so device registers cannot be mapped; Secure Boot turns this on: "
            "boot this VM without Secure Boot or with lockdown=none"
        )


def _require_module(sysfs: Sysfs) -> None:
    directory = sysfs.sys / "bus/pci/drivers" / UIO_DRIVER
    if directory.is_dir():
        return
    complaint = sysfs.modprobe(UIO_DRIVER)
    if not directory.is_dir() and not sysfs.dry_run:
        release = os.uname().release
        raise ModuleMissing(
            f"the kernel module {UIO_DRIVER} is not loaded and cannot be loaded ({complaint or 'no reason given'}); "
            f"install the full module package for {release} (Debian: linux-image-amd64 in place of a -cloud- kernel; "
            f"Ubuntu: linux-modules-extra-{release}), or build it with CONFIG_UIO_PCI_GENERIC"
        )


def _await_uio(sysfs: Sysfs, bdf: str) -> str:
    def appeared() -> bool:
        name = sysfs.uio(bdf)
        return name is not None and (sysfs.dev / name).exists()

    polled = poll(appeared, YES, RealClock(), _DEVICE_TIME, spin=1)
    name = sysfs.uio(bdf)
    if not polled.outcome or name is None:
        missing = f"/dev/{name}" if name else "its UIO device"
        raise CannotRun(
            f"{bdf} is on {UIO_DRIVER}, but {missing} did not appear within {_DEVICE_TIME:g} s; "
            "is /dev a devtmpfs, and not the one of a container?"
        )
    return name


def _why_refused(sysfs: Sysfs, bdf: str) -> str:
    physical = describe(sysfs, bdf).physical
    command = sysfs.peek(bdf, Header.COMMAND, 2)
    if physical is None and command != 0xFFFF:
        # No driver holds the function now. The kernel's own test: can Interrupt Disable be set and cleared?
        sysfs.poke(bdf, Header.COMMAND, 2, command ^ Command.INTX_DISABLE)
        toggled = sysfs.peek(bdf, Header.COMMAND, 2) ^ command
        sysfs.poke(bdf, Header.COMMAND, 2, command)
        if not toggled & Command.INTX_DISABLE:
            return (
                f"{UIO_DRIVER} refused {bdf}: the kernel cannot mask its INTx, as Interrupt Disable (command bit 10) does not "
                "keep what is written; the hypervisor has to implement that bit (PCI Local Bus 3.0, 6.2.2)"
            )
    holder = sysfs.driver(bdf)
    what = f"{holder} took it instead" if holder else "it has no driver now"
    if physical is not None:
        what += f"; it is a virtual function (of {physical}), which has no INTx: older kernels refuse that, Linux 6.1 takes it"
    return f"{UIO_DRIVER} did not take {bdf}: {what}; the kernel's log (dmesg) may say why"


# -- giving back -------------------------------------------------------------------------------------------------------


def undo(sysfs: Sysfs, journal: Journal, bdf: str, *, kept: bool) -> list[str]:
    """Undo what the journal of a function says, bus mastering first; ``kept`` also what was bound on purpose.

    The process that wrote it has ended or is the one that calls. Each step is done whatever has become of the others, and
    struck from the journal when it is done; the first error is raised at the end. Returns sentences about what did not work.
    """
    entry = journal.read(bdf)
    if entry is None:
        return []
    notes: list[str] = []
    failures: list[Exception] = []
    opened, binding, pages = entry.opened, entry.binding, entry.hugepages
    steps: list[tuple[dict[str, Any], Callable[[], list[str]]]] = []
    if opened is not None:
        steps.append(({"opened": None}, lambda: _put_registers_back(sysfs, bdf, opened)))
    if binding is not None and (kept or not binding.kept):
        steps.append(({"binding": None}, lambda: _give_driver_back(sysfs, bdf, binding)))
    if pages:
        steps.append(({"hugepages": ()}, lambda: give_back(sysfs, journal.run, pages)))
    for struck, step in steps:
        if failures and entry.opened is not None and "hugepages" in struck:
            break  # a device that was not stopped may still write there: nobody else shall get that memory
        try:
            notes += step()
        except Exception as error:
            failures.append(error)
            continue
        entry = replace(entry, pid=os.getpid(), **struck)
        if not sysfs.dry_run:
            try:
                journal.write(entry)
            except CannotRun as error:
                notes.append(str(error))
    if failures:
        raise failures[0]
    return notes


def _put_registers_back(sysfs: Sysfs, bdf: str, opened: Opened) -> list[str]:
    notes: list[str] = []
    with suppress(NoSuchDevice):  # unplugged just now
        if sysfs.driver(bdf) not in (UIO_DRIVER, None) or (command := sysfs.peek(bdf, Header.COMMAND, 2)) == 0xFFFF:
            return notes
        # The device can reach memory only if bus mastering was turned on; stopping begins with turning it off.
        if opened.driven and (note := stop(sysfs, bdf)):
            notes.append(note)
        if opened.table is not None:
            notes += put_table_back(sysfs, bdf, opened.table)
        if opened.msix is not None:
            notes += _put_message_control_back(sysfs, bdf, *opened.msix)
        # Bus mastering stays off: whoever gets the function next turns it on himself. No other bits than those which driving
        # a virtio device changes.
        sysfs.poke(bdf, Header.COMMAND, 2, (command & ~_CHANGED | opened.command & _CHANGED) & ~Command.BUS_MASTER)
    return notes


def _put_message_control_back(sysfs: Sysfs, bdf: str, at: int, control: int) -> list[str]:
    if sysfs.peek(bdf, at - 2, 1) != CapabilityId.MSIX:
        return [f"{bdf}: there is no MSI-X capability at {at - 2:#x} any more; its enable bit was left alone"]
    own = MsixControl.ENABLE | MsixControl.FUNCTION_MASK
    sysfs.poke(bdf, at, 2, sysfs.peek(bdf, at, 2) & ~own | control & own)
    return []


def _give_driver_back(sysfs: Sysfs, bdf: str, binding: Binding) -> list[str]:
    notes: list[str] = []
    try:
        notes += _rebind(sysfs, bdf, binding, probe=binding.driver is not None)
    except NoSuchDevice:
        if sysfs.exists(bdf):
            raise
    if not sysfs.exists(bdf):
        notes.append(f"{bdf} has been removed from the machine; there is no driver to give back")
    return notes


def _rebind(sysfs: Sysfs, bdf: str, binding: Binding, *, probe: bool) -> list[str]:
    """From uio_pci_generic, or from the middle of the way there or back, to what the function had.

    Returns a sentence where its driver does not want a device that has died meanwhile: nothing is left to undo then.
    """
    at = sysfs.function(bdf)
    if sysfs.override(bdf) == UIO_DRIVER and binding.override != UIO_DRIVER:
        # A lone newline clears the override; an empty write would do nothing.
        sysfs.write(at / "driver_override", binding.override or "\n")
    if sysfs.driver(bdf) == UIO_DRIVER:
        sysfs.write(at / "driver/unbind", bdf)
    if not probe or (sysfs.driver(bdf) is not None and not sysfs.dry_run):
        return []
    sysfs.write(sysfs.sys / "bus/pci/drivers_probe", bdf)
    if sysfs.dry_run or binding.driver is None or sysfs.driver(bdf) == binding.driver:
        return []
    # The driver knows the device through new_id or is not the kernel's first choice: ask for it by name.
    directory = sysfs.sys / "bus/pci/drivers" / binding.driver
    if directory.is_dir():
        if sysfs.driver(bdf) is not None:
            sysfs.write(at / "driver/unbind", bdf)
        try:
            sysfs.write(directory / "bind", bdf)
        except NoSuchDevice:
            return [
                f"{binding.driver} does not take {bdf} back: the device does not answer any more; it has no driver now"
            ]
    if sysfs.driver(bdf) != binding.driver:
        raise CannotRun(
            f"{bdf} was given back, but {binding.driver} did not take it (driver now: {sysfs.driver(bdf) or 'none'}); "
            f"load the module, then: echo {bdf} > /sys/bus/pci/drivers_probe"
        )
    return []
