"""Giving a function back: what its journal says is undone, step by step. Whoever calls this holds the function's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...errors import CannotRun, NoSuchDevice
from ...spec.pci import CapabilityId, Command, Header, MsixControl
from .hugepages import give_back
from .journal import Binding, Journal, Opened
from .quiesce import stop
from .sysfs import UIO_DRIVER, Sysfs
from .vectors import put_table_back

__all__ = ["rebind", "undo"]

#: Bits of the command register that driving a function changes.
_CHANGED = Command.IO | Command.MEMORY | Command.BUS_MASTER | Command.INTX_DISABLE


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
        notes += rebind(sysfs, bdf, binding, probe=binding.driver is not None)
    except NoSuchDevice:
        if sysfs.exists(bdf):
            raise
    if not sysfs.exists(bdf):
        notes.append(f"{bdf} has been removed from the machine; there is no driver to give back")
    return notes


def rebind(sysfs: Sysfs, bdf: str, binding: Binding, *, probe: bool) -> list[str]:
    """From the driver that it was taken for, or from the middle of the way there or back, to what the function had.

    Returns a sentence where its driver does not want a device that has died meanwhile: nothing is left to undo then.
    """
    at = sysfs.function(bdf)
    if sysfs.override(bdf) == binding.by and binding.override != binding.by:
        # A lone newline clears the override; an empty write would do nothing.
        sysfs.write(at / "driver_override", binding.override or "\n")
    if sysfs.driver(bdf) == binding.by:
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
