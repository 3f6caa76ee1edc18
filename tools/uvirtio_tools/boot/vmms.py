"""How each VMM is told to boot a kernel with an initramfs, its serial console on standard input and output.

Those of QEMU run in the tests. The others are written from the documentation of these programs, and say so.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uvirtio.bus.qemu.process import ENVIRONMENT
from uvirtio.errors import CannotRun, UsageError
from uvirtio.programs import find

__all__ = [
    "VMMS", "Vmm", "by_command", "console_of", "expanded", "firecracker_config", "kvm_there", "named", "program_of", "tsc_khz",
]  # fmt: skip

_CONSOLES = {"x86_64": "ttyS0", "aarch64": "ttyAMA0"}
_BZIMAGE = {"x86_64": "bzImage", "aarch64": "Image"}
_VMLINUX = {"x86_64": "vmlinux", "aarch64": "Image"}


@dataclass(frozen=True, slots=True)
class Vmm:
    """A VMM: ``words`` is its command line, the program first, with ``{kernel}`` and the like in it.

    ``forms``: architecture -> the form of the kernel that it takes. ``end``: how its machine is ended from within. ``tested``:
    whether it ran in the tests.
    """

    name: str
    words: tuple[str, ...]
    forms: Mapping[str, str] = field(default_factory=lambda: _BZIMAGE)
    end: str = "poweroff"
    parameters: str = ""
    """What its kernel has to be told besides."""
    tested: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)
    """architecture -> program, where it is not the first of ``words``."""
    accelerators: bool = False
    """Whether it has ``{accelerator}``: KVM, or none."""


def _qemu(name: str, machine: str, *more: str, parameters: str = "", end: str = "poweroff", arches: str = "") -> Vmm:
    return Vmm(
        name,
        (
            "qemu-system-x86_64", "-machine", f"{machine},memory-backend=uvirtio-memory", "-accel", "{accelerator}", *more,
            # Shared: a device that lies in another process (vfio-user, vhost-user) sees no other memory.
            "-object", "memory-backend-memfd,id=uvirtio-memory,size={memory}M,share=on", "-m", "{memory}M", "-smp", "{cpus}",
            "-nodefaults", "-no-reboot", "-display", "none",
            "-chardev", "stdio,id=uvirtio-console,signal=off", "-serial", "chardev:uvirtio-console",
            "-kernel", "{kernel}", "-initrd", "{initrd}", "-append", "{cmdline}", "{more}",
        ),
        forms={arch: form for arch, form in {"x86_64": "bzImage", "aarch64": "Image.gz"}.items() if arch in arches},
        parameters=parameters,
        end=end,
        tested=True,
        programs={"aarch64": "qemu-system-aarch64"},
        accelerators=True,
    )  # fmt: skip


VMMS = {
    vmm.name: vmm
    for vmm in (
        _qemu("qemu-pc", "pc", arches="x86_64"),
        _qemu("qemu-q35", "q35", arches="x86_64"),
        # Under TCG its kernel cannot measure the time stamp counter against anything; without ACPI there is no PCI bus.
        _qemu("qemu-microvm", "microvm,pcie=on,rtc=on", parameters="tsc_early_khz={tsc} tsc=reliable", arches="x86_64"),
        _qemu("qemu-virt", "virt", "-cpu", "{cpu}", arches="aarch64"),
        Vmm(
            "cloud-hypervisor",
            (
                "cloud-hypervisor", "--kernel", "{kernel}", "--initramfs", "{initrd}", "--cmdline", "{cmdline}",
                "--cpus", "boot={cpus}", "--memory", "size={memory}M,shared=on", "--serial", "tty", "--console", "off", "{more}",
            ),
        ),
        Vmm(
            "firecracker",
            ("firecracker", "--no-api", "--enable-pci", "--config-file", "{config}", "{more}"),
            forms=_VMLINUX, end="reboot", parameters="reboot=k",
        ),
        Vmm(
            "crosvm",
            (
                "crosvm", "run", "--cpus", "{cpus}", "--mem", "{memory}", "--initrd", "{initrd}", "--params", "{cmdline}",
                "--serial", "type=stdout,hardware=serial,num=1,console=true,stdin=true", "{more}", "{kernel}",
            ),
        ),
        Vmm(
            "openvmm",
            (
                "openvmm", "--kernel", "{kernel}", "--initrd", "{initrd}", "--cmdline", "{cmdline}", "--com1", "console",
                "--memory", "{memory}M", "--processors", "{cpus}", "--guest-shutdown-action", "exit",
                "--guest-reset-action", "exit", "--guest-crash-action", "exit:1", "{more}",
            ),
            forms=_VMLINUX,
        ),
        Vmm(
            "bhyve",
            (
                "sh", "-c",
                'printf "linux (host)%s %s\\ninitrd (host)%s\\nboot\\n" {kernel} {cmdline} {initrd} > {folder}/grub.cfg && '
                "grub-bhyve -r host -d {folder} -M {memory}M {name} </dev/null && "
                "exec bhyve -A -H -P -c {cpus} -m {memory}M -s 0,hostbridge -s 31,lpc -l com1,stdio {more} {name}",
            ),
            forms={"x86_64": "bzImage"},
        ),
    )
}  # fmt: skip

#: The name for whichever of QEMU's machines an architecture has.
_QEMU = {"x86_64": "qemu-pc", "aarch64": "qemu-virt"}
#: Placeholders, of which each is the whole of a word or a part of one.
_PLACE = re.compile(r"\{([a-z]+)\}")


def named(name: str, arch: str) -> Vmm:
    """A VMM by its name. Raises :class:`UsageError` where there is none, or it has no such machine."""
    vmm = VMMS[_QEMU[arch] if name == "qemu" else name]
    if arch not in vmm.forms:
        raise UsageError(f"{vmm.name} is not started for {arch} here; name the whole command with --command")
    return vmm


def by_command(command: str) -> Vmm:
    """A VMM by a command line of somebody's own, ``program … {kernel} {initrd} {cmdline} …``.

    Raises :class:`UsageError` where a place is missing, or named that there is not.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--command: {error}") from None
    places = {place for word in words for place in _PLACE.findall(word)}
    known = {"kernel", "vmlinux", "initrd", "cmdline", "memory", "cpus", "name", "folder", "more"}
    if wrong := sorted(places - known):
        raise UsageError(
            f"--command: there is no {{{wrong[0]}}}; there are {', '.join(f'{{{each}}}' for each in sorted(known))}"
        )
    if not places & {"kernel", "vmlinux"} or not {"initrd", "cmdline"} <= places:
        raise UsageError(
            "--command needs {kernel} or {vmlinux}, {initrd} and {cmdline} in it, where the VMM is told of these"
        )
    if "more" not in places:
        words.append("{more}")
    return Vmm("command", tuple(words), forms=_VMLINUX if "vmlinux" in places else _BZIMAGE)


def program_of(vmm: Vmm, arch: str, binary: str | None) -> str:
    """The path of the program. Raises :class:`UsageError` for a path that is no program, :class:`CannotRun` for no program."""
    named = os.environ.get(ENVIRONMENT) if vmm.accelerators and arch == "x86_64" else None
    asked = binary or named or vmm.programs.get(arch, vmm.words[0])
    found = find(os.path.expanduser(asked))
    if found is None and "/" in asked:
        raise UsageError(f"{asked} is not a program that can be run")
    if found is None:
        raise CannotRun(f"{asked} is not installed; install it, or name it with --binary PATH")
    return found


def console_of(arch: str) -> str:
    """The serial console's name in Linux."""
    return _CONSOLES[arch]


def expanded(vmm: Vmm, program: str, values: Mapping[str, str], more: Sequence[str]) -> list[str]:
    """The command: ``values`` in their places, ``more`` where further words go; shell quoted inside of a shell's command."""
    words = [program]
    shell = vmm.words[:2] == ("sh", "-c")
    values = {"vmlinux": values["kernel"], **values}
    for word in vmm.words[1:]:
        if word == "{more}":
            words += more
        elif shell and word != "-c":
            quoted = {name: shlex.quote(value) for name, value in values.items()} | {"more": shlex.join(more)}
            words.append(_PLACE.sub(lambda match, with_=quoted: with_[match[1]], word))  # type: ignore[misc]
        else:
            words.append(_PLACE.sub(lambda match: values[match[1]], word))
    return words


def firecracker_config(folder: Path, values: Mapping[str, str], devices: str | None) -> str:
    """Write what Firecracker is told by a file, with the devices of a JSON file of somebody's; its path."""
    told: dict[str, object] = {}
    if devices is not None:
        try:
            told = json.loads(Path(devices).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--config {devices}: {error}") from error
    told |= {
        "boot-source": {
            "kernel_image_path": values["kernel"],
            "initrd_path": values["initrd"],
            "boot_args": values["cmdline"],
        },
        "machine-config": {"vcpu_count": int(values["cpus"]), "mem_size_mib": int(values["memory"])},
    }
    told.setdefault("drives", [])
    path = folder / "firecracker.json"
    path.write_text(json.dumps(told, indent=2))
    return str(path)


def tsc_khz() -> str:
    """This machine's clock in kHz, for a guest that cannot measure it."""
    try:
        found = re.search(r"^cpu MHz\s*:\s*([0-9.]+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return str(int(float(found[1]) * 1000)) if found else "2000000"


def kvm_there(arch: str) -> bool:
    """Whether this machine may run a guest of that architecture by KVM."""
    return platform.machine() == arch and os.access("/dev/kvm", os.R_OK | os.W_OK)
