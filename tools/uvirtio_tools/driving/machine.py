"""The machine that a report was made on: kernel, hypervisor, interpreter. Everything is best effort and never fails."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["describe_machine", "hypervisor"]

_DMI = Path("/sys/class/dmi/id")
#: CPUID leaf with the hypervisor's signature (SDM, "hypervisor present" bit and leaf 0x40000000).
_SIGNATURE_LEAF = 0x4000_0000
_SIGNATURES = {
    "KVMKVMKVM": "KVM",
    "TCGTCGTCGTCG": "QEMU TCG",
    "Microsoft Hv": "Hyper-V",
    "VMwareVMware": "VMware",
    "XenVMMXenVMM": "Xen",
    "bhyve bhyve ": "bhyve",
    "ACRNACRNACRN": "ACRN",
}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _signature() -> str:
    """The 12 letters at CPUID leaf 0x40000000, through the cpuid character device; empty where it is not there."""
    try:
        fd = os.open("/dev/cpu/0/cpuid", os.O_RDONLY)
    except OSError:
        return ""
    try:
        raw = os.pread(fd, 16, _SIGNATURE_LEAF)
    except OSError:
        return ""
    finally:
        os.close(fd)
    return raw[4:16].decode("ascii", "replace").rstrip("\0")


def hypervisor() -> str:
    """What this machine says it runs on, from CPUID (where the cpuid module is loaded) and DMI."""
    signature = _signature()
    parts = [_SIGNATURES.get(signature, signature)] if signature else []
    product = " ".join(filter(None, (_text(_DMI / "sys_vendor"), _text(_DMI / "product_name"))))
    version = _text(_DMI / "product_version")
    if product:
        parts.append(f"{product} ({version})" if version else product)
    if not parts:
        flags = _text(Path("/proc/cpuinfo"))
        parts.append("a hypervisor that does not name itself" if "hypervisor" in flags else "no hypervisor seen")
    return ", ".join(parts)


def describe_machine() -> dict[str, str]:
    """The head of a report, as ordered words."""
    system = platform.uname()
    return {
        "kernel": f"{system.system} {system.release} {system.machine}",
        "hypervisor": hypervisor(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
