"""What stands between a device and userspace: lockdown, an IOMMU, no interrupt pin; and VFIO, which is the way around."""

from __future__ import annotations

import os
from pathlib import Path

from uvirtio.bus.uio.groups import in_the_way, no_iommu_mode, sharers, told
from uvirtio.bus.uio.sysfs import VFIO_DRIVER

from .facts import Fact, Machine, ask, kernel_option

__all__ = ["iommu", "lockdown", "pins", "vfio"]


def lockdown(machine: Machine) -> list[Fact]:
    """Whether the kernel lets registers be mapped."""
    state = machine.sysfs.read(machine.sysfs.sys / "kernel/security/lockdown")
    if "[integrity]" in state or "[confidentiality]" in state:
        return [
            Fact(
                "lockdown",
                "missing",
                f"the kernel is locked down ({state}): registers cannot be mapped",
                "boot without Secure Boot, or with lockdown=none; behind an IOMMU VFIO maps them all the same: vfio:00:05.0",
            )
        ]
    return [Fact("lockdown", "ok", "off" if state else "this kernel has none")]


def iommu(machine: Machine) -> list[Fact]:
    """Whether an IOMMU translates what devices put on the bus, and which functions share a group of it."""
    functions = machine.functions()
    facts: list[Fact] = []
    translated = [function.address for function in functions if function.translated]
    grouped = [function for function in functions if function.iommu_group is not None]
    if translated:
        text = f"{', '.join(translated)}: translated; a device with ACCESS_PLATFORM is driven through VFIO there"
        advice = "uvirtio suspend vfio:ADDRESS; or boot with iommu=pt, or without iommu_platform=on on the device"
        facts.append(Fact("IOMMU", "note", text, advice))
    else:
        text = "there is one, and it lets the devices through" if grouped else "none between the devices and memory"
        facts.append(Fact("IOMMU", "ok", text))
    for function in grouped:
        if others := sharers(machine.sysfs, function.address):
            blocked = in_the_way(machine.sysfs, function.address)
            text = f"{function.address} is in group {function.iommu_group} together with {told(others)}"
            advice = f"for VFIO, take {told(blocked)} from their drivers too" if blocked else ""
            facts.append(Fact("IOMMU group", "note", text, advice))
    return facts


def vfio(machine: Machine) -> list[Fact]:
    """Whether functions can be driven through VFIO, and by which of its ways."""
    sysfs = machine.sysfs
    loaded = (sysfs.sys / "bus/pci/drivers" / VFIO_DRIVER).is_dir()
    if not loaded and not (ask(["modinfo", "-F", "filename", VFIO_DRIVER]) if sysfs.root == Path("/") else None):
        return [
            Fact("VFIO", "note", f"kernel {machine.release} has no {VFIO_DRIVER}; devices are driven through UIO",
                 "a kernel with CONFIG_VFIO_PCI, where an IOMMU or lockdown is in the way"),
        ]  # fmt: skip
    facts = [
        Fact(
            "VFIO", "ok", f"{VFIO_DRIVER} is loaded" if loaded else f"{VFIO_DRIVER} can be loaded; it is when asked for"
        )
    ]
    return [*facts, _without_iommu(machine), _iommufd(machine)]


def _without_iommu(machine: Machine) -> Fact:
    name, mode = "VFIO without IOMMU", no_iommu_mode(machine.sysfs)
    if mode:
        text = "allowed (enable_unsafe_noiommu_mode): a device in no group can be taken, which taints the kernel"
        return Fact(name, "note", text)
    built = kernel_option(machine, "CONFIG_VFIO_NOIOMMU")
    if mode is False or built == "y":
        advice = "echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode" if mode is False else "modprobe vfio"
        return Fact(name, "ok", "compiled in, and off: only devices in an IOMMU group can be taken", advice)
    # The module, once it is there, has that parameter or does not.
    if built is None and not (machine.sysfs.sys / "module/vfio").is_dir():
        text = "unknown until vfio is loaded: the kernel's configuration is not to be found"
        return Fact(name, "note", text, "modprobe vfio")
    return Fact(name, "ok", "not compiled in (CONFIG_VFIO_NOIOMMU): only devices in an IOMMU group can be taken")


def _iommufd(machine: Machine) -> Fact:
    sysfs = machine.sysfs
    if (sysfs.dev / "iommu").exists() and sysfs.names(sysfs.dev / "vfio/devices"):
        return Fact("iommufd", "ok", "there, with a character device for each function on vfio-pci")
    there = (sysfs.dev / "iommu").exists() or os.path.isdir(sysfs.sys / "module/iommufd")
    own = kernel_option(machine, "CONFIG_VFIO_DEVICE_CDEV")
    if there or own == "y":
        return Fact("iommufd", "ok", "there; functions have character devices of their own once they are on vfio-pci"
                    if own == "y" else "there; this kernel has no character devices of VFIO, groups are used")  # fmt: skip
    return Fact("iommufd", "ok", "none; VFIO is used by its groups")


def pins(machine: Machine) -> list[Fact]:
    """Which functions have no interrupt pin, so that uio_pci_generic has nothing to pass on."""
    pinless = [function for function in machine.functions() if not function.identity.interrupt_pin]
    without = [function.address for function in pinless]
    if not without:
        return [
            Fact(
                "interrupt pins",
                "ok",
                "every virtio function has one" if machine.functions() else "no device to have one",
            )
        ]
    text = f"{', '.join(without)}: none, so uio_pci_generic gives no interrupt; such a device is polled, or looked at by messages"
    if all(function.physical is not None for function in pinless):
        return [
            Fact("interrupt pins", "note", text, "virtual functions (SR-IOV) cannot have one; there is nothing to do")
        ]
    advice = "the hypervisor has to give the function an INTx pin"
    if grouped := [function.address for function in pinless if function.iommu_group is not None]:
        advice += f"; or drive it through VFIO, which delivers MSI-X: vfio:{grouped[0]}"
    return [Fact("interrupt pins", "note", text, advice)]
