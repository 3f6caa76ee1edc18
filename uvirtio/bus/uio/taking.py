"""Taking a function for uio_pci_generic or vfio-pci. Whoever calls this holds the function's lock."""

from __future__ import annotations

import os
from dataclasses import replace

from ...access.clock import RealClock
from ...access.wait import YES, poll
from ...errors import CannotRun, InUse, ModuleMissing, NoSuchDevice, NotVirtio, PrivilegeMissing
from ...spec.pci import Command, Header
from .discovery import describe
from .given_back import undo
from .groups import group_of, in_the_way, iommu_advice, no_iommu_mode, told, vfio_node, vfio_nodes
from .inuse import uses
from .journal import Binding, Journal
from .sysfs import UIO_DRIVER, VFIO_DRIVER, Sysfs

__all__ = ["require", "take"]

#: Longest time until the device file is there after the driver has the device, in seconds.
_DEVICE_TIME = 10.0


def require(sysfs: Sysfs, bdf: str) -> None:
    if not sysfs.exists(bdf):
        raise NoSuchDevice(f"there is no PCI function {bdf}; `uvirtio list` shows the virtio functions of this machine")


def take(sysfs: Sysfs, journal: Journal, bdf: str, *, force: bool, keep: bool, driver: str = UIO_DRIVER) -> str:
    """Bind a function to ``driver`` and wait for its device file, whose name below ``/dev`` is returned (``uio0``, ``vfio/9``).

    Raises :class:`NoSuchDevice`, :class:`NotVirtio`, :class:`PrivilegeMissing`, :class:`ModuleMissing`, :class:`InUse`,
    :class:`CannotRun`; then nothing is changed, or it has been put back.
    """
    require(sysfs, bdf)
    function = describe(sysfs, bdf)
    if not function.identity.is_virtio:
        raise NotVirtio(
            f"{bdf} is {function.identity.vendor:04x}:{function.identity.device:04x}, not a virtio device (1af4:1000-107f); "
            "`uvirtio list` shows those that are"
        )
    _require_privilege(sysfs, bdf, driver)
    using = [] if force else uses(sysfs, function, probe=True)
    if using:
        raise InUse(
            f"{bdf} ({function.identity.type_name}) is in use: {'; '.join(using)}. End that first, or take it with --force"
        )
    entry = journal.read(bdf)
    binding = entry.binding if entry else None
    if binding is not None and binding.by != driver:
        raise CannotRun(f"{bdf} was bound to {binding.by} on purpose; give it back first: uvirtio restore {bdf}")
    if function.driver == driver:
        if binding is not None and keep and not sysfs.dry_run:
            journal.change(bdf, binding=replace(binding, kept=True))
        return _await_node(sysfs, bdf, driver)
    _require_module(sysfs, driver)
    if driver == VFIO_DRIVER:
        _require_group(sysfs, bdf, alone=keep)
    if binding is None or (function.driver is not None and function.driver_override != driver):
        # Otherwise a process died half-way, and what it wrote down is what the function had.
        binding = Binding(function.driver, function.driver_override, keep, driver)
    if not sysfs.dry_run:
        journal.change(bdf, binding=replace(binding, kept=binding.kept or keep))
    try:
        return _bind(sysfs, bdf, function.driver, driver)
    except BaseException:
        undo(sysfs, journal, bdf, kept=True)
        raise


def _bind(sysfs: Sysfs, bdf: str, before: str | None, driver: str) -> str:
    at = sysfs.function(bdf)
    sysfs.write(at / "driver_override", driver)
    if before is not None:
        sysfs.write(at / "driver/unbind", bdf)
    sysfs.write(sysfs.sys / "bus/pci/drivers_probe", bdf)
    if sysfs.dry_run:
        return "uio?" if driver == UIO_DRIVER else "vfio/?"
    if sysfs.driver(bdf) != driver:
        raise CannotRun(_why_refused(sysfs, bdf) if driver == UIO_DRIVER else _why_vfio_refused(sysfs, bdf))
    return _await_node(sysfs, bdf, driver)


def _require_privilege(sysfs: Sysfs, bdf: str, driver: str) -> None:
    if not sysfs.dry_run and not os.access(sysfs.function(bdf) / "driver_override", os.W_OK):
        raise PrivilegeMissing(
            f"no permission to change the driver of {bdf}: run it as root (sudo uvirtio ...), with /sys writable"
        )
    state = sysfs.read(sysfs.sys / "kernel/security/lockdown")
    if driver == UIO_DRIVER and ("[integrity]" in state or "[confidentiality]" in state):
        raise PrivilegeMissing(
            f"the kernel is locked down ({state}), so device registers cannot be mapped; Secure Boot turns this on: "
            f"boot this VM without Secure Boot or with lockdown=none, or name the device vfio:{bdf}: VFIO, which needs an "
            "IOMMU, maps them all the same"
        )


#: Driver -> where the module is in Debian, and how a kernel of one's own has it.
_WHERE_MODULES_ARE = {
    UIO_DRIVER: ("every linux-image has it", "CONFIG_UIO_PCI_GENERIC"),
    VFIO_DRIVER: ("linux-image-amd64 in place of a -cloud- kernel", "CONFIG_VFIO_PCI"),
}


def _require_module(sysfs: Sysfs, driver: str) -> None:
    directory = sysfs.sys / "bus/pci/drivers" / driver
    if directory.is_dir():
        return
    complaint = sysfs.modprobe(driver)
    if not directory.is_dir() and not sysfs.dry_run:
        release = os.uname().release
        debian, option = _WHERE_MODULES_ARE[driver]
        raise ModuleMissing(
            f"the kernel module {driver} is not loaded and cannot be loaded ({complaint or 'no reason given'}); "
            f"install the full module package for {release} (Debian: {debian}; "
            f"Ubuntu: linux-modules-extra-{release}), or build it with {option}"
        )


def _require_group(sysfs: Sysfs, bdf: str, *, alone: bool) -> None:
    """VFIO gives a whole IOMMU group, or in its no-IOMMU mode a function in none. Raises :class:`CannotRun`.

    ``alone``: the others of the group may follow, since the function is only bound.
    """
    if group_of(sysfs, bdf) is None:
        if not no_iommu_mode(sysfs) and not sysfs.dry_run:
            raise CannotRun(
                f"{bdf} is in no IOMMU group, so VFIO does not take it: {iommu_advice(sysfs)}; through UIO (the plain address) "
                "no IOMMU is needed"
            )
        return
    others = in_the_way(sysfs, bdf)
    if others and not alone:
        raise CannotRun(
            f"{bdf} is in IOMMU group {group_of(sysfs, bdf)} together with {told(others)}: VFIO gives a group away as a whole, so "
            "take these from their drivers too (uvirtio bind --via vfio, or driver/unbind in sysfs), or give the device a slot "
            "or a root port of its own"
        )


def _node(sysfs: Sysfs, bdf: str, driver: str) -> str | None:
    if driver == VFIO_DRIVER:
        return vfio_node(sysfs, bdf)
    name = sysfs.uio(bdf)
    return name if name is not None and (sysfs.dev / name).exists() else None


def _await_node(sysfs: Sysfs, bdf: str, driver: str) -> str:
    polled = poll(lambda: _node(sysfs, bdf, driver) is not None, YES, RealClock(), _DEVICE_TIME, spin=1)
    name = _node(sysfs, bdf, driver)
    if not polled.outcome or name is None:
        if driver == VFIO_DRIVER:
            missing = " or ".join(f"/dev/{node}" for node in vfio_nodes(sysfs, bdf)) or "its VFIO device"
        else:
            known = sysfs.uio(bdf)
            missing = f"/dev/{known}" if known else "its UIO device"
        raise CannotRun(
            f"{bdf} is on {driver}, but {missing} did not appear within {_DEVICE_TIME:g} s; "
            "is /dev a devtmpfs, and not the one of a container?"
        )
    return name


def _why_vfio_refused(sysfs: Sysfs, bdf: str) -> str:
    holder = sysfs.driver(bdf)
    what = f"{holder} took it instead" if holder else "it has no driver now"
    return f"{VFIO_DRIVER} did not take {bdf}: {what}; the kernel's log (dmesg) may say why"


def _why_refused(sysfs: Sysfs, bdf: str) -> str:
    physical = describe(sysfs, bdf).physical
    command = sysfs.peek(bdf, Header.COMMAND, 2)
    instead = f"; vfio:{bdf} goes through VFIO, which needs no INTx" if group_of(sysfs, bdf) is not None else ""
    if physical is None and command != 0xFFFF:
        # No driver holds the function now. The kernel's own test: can Interrupt Disable be set and cleared?
        sysfs.poke(bdf, Header.COMMAND, 2, command ^ Command.INTX_DISABLE)
        toggled = sysfs.peek(bdf, Header.COMMAND, 2) ^ command
        sysfs.poke(bdf, Header.COMMAND, 2, command)
        if not toggled & Command.INTX_DISABLE:
            return (
                f"{UIO_DRIVER} refused {bdf}: the kernel cannot mask its INTx, as Interrupt Disable (command bit 10) does not "
                f"keep what is written; the hypervisor has to implement that bit (PCI Local Bus 3.0, 6.2.2){instead}"
            )
    holder = sysfs.driver(bdf)
    what = f"{holder} took it instead" if holder else "it has no driver now"
    if physical is not None:
        what += f"; it is a virtual function (of {physical}), which has no INTx: older kernels refuse that, Linux 6.1 takes it"
    return f"{UIO_DRIVER} did not take {bdf}: {what}; the kernel's log (dmesg) may say why{instead}"
