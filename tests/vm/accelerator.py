"""KVM or TCG: whether KVM runs the guests' kernel on this machine is found out by letting it try."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab import lab_folder
from tests.lab.leash import leashed

__all__ = ["Accelerator", "choose"]

_PROBE_SECONDS = 10
"""A kernel without a root file system panics, and so leaves QEMU, in 1 to 2 s under KVM."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """``kvm`` or ``tcg``, and why, for the reader of a report."""

    name: str
    why: str


def _probe(qemu: Path, kernel: Path) -> Accelerator:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator("tcg", "no access to /dev/kvm")
    probe = leashed(
        [
            *(qemu, "-accel", "kvm", "-cpu", "max", "-machine", "q35", "-m", "512M", "-nodefaults", "-display", "none"),
            *("-no-reboot", "-serial", "stdio", "-kernel", kernel, "-append", "console=ttyS0 panic=-1"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said, _ = probe.communicate(timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        probe.kill()
        probe.communicate()
        return Accelerator("tcg", "KVM is present but does not boot the kernel")
    if probe.returncode == 0 and b"Unable to mount root fs" in said:
        return Accelerator("kvm", "it boots the kernel")
    return Accelerator("tcg", "KVM is present but does not boot the kernel")


def choose(qemu: Path, kernel: Path) -> Accelerator:
    """The accelerator for this QEMU and kernel; tried once per boot of the machine, then remembered in the lab folder."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    subject = [boot_id, str(qemu), str(kernel)]
    memory = lab_folder() / "accelerator.json"
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        if known["subject"] == subject:
            return Accelerator(known["name"], known["why"])
    except (OSError, ValueError, KeyError):
        pass
    found = _probe(qemu, kernel)
    memory.write_text(json.dumps({"subject": subject, "name": found.name, "why": found.why}), encoding="utf-8")
    return found
