"""A Debian kernel in the forms that VMMs take, and those of its modules that are needed to take a device.

| form | who takes it |
|---|---|
| ``bzImage`` | QEMU, cloud-hypervisor, crosvm, OpenVMM on x86-64 |
| ``vmlinux`` | Firecracker, cloud-hypervisor, bhyve on x86-64: an ELF file, which a bzImage has inside, packed |
| ``Image`` | all of them on arm64 |
"""

from __future__ import annotations

import gzip
import lzma
import re
import struct
import subprocess
import zlib
from graphlib import TopologicalSorter
from pathlib import Path

from uvirtio.errors import CannotRun
from uvirtio.programs import find

from . import lz4

__all__ = ["MODULES", "forms", "modules", "part_of", "zstd"]

#: What takes a device, and the bus that shows it where that is no part of the kernel.
MODULES = ("uio_pci_generic", "vfio-pci", "vfio_iommu_type1", "virtio_pci")

_XZ, _ZSTD, _GZIP = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
#: Where a bzImage says how long its real-mode part is, and where the packed kernel lies after that (boot protocol 2.08).
_SETUP_SECTORS, _PAYLOAD = 0x1F1, 0x248
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def zstd(data: bytes, *words: str) -> bytes:
    """What the program zstd makes of it. Raises :class:`CannotRun` where there is none, or it does not like the data."""
    program = find("zstd", system=True)
    if program is None:
        raise CannotRun("the program zstd is not installed, and images are packed with it: apt-get install zstd")
    done = subprocess.run([program, "-q", *words, "-c"], input=data, capture_output=True, check=False)
    if done.returncode and not done.stdout:
        raise CannotRun(f"zstd failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _unpacked(payload: bytes) -> bytes:
    """What is packed in a kernel, by the first bytes; some length follows it, which nobody needs."""
    if payload.startswith(_XZ):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    if payload.startswith(_ZSTD):
        return zstd(payload, "-d")
    if payload.startswith(lz4.MAGIC):
        return lz4.unpack(payload)
    if payload.startswith(_GZIP):
        return zlib.decompressobj(31).decompress(payload)
    raise CannotRun(f"this kernel is packed in a way that is not known here: it begins with {payload[:6].hex(' ')}")


def _vmlinux(bzimage: bytes) -> bytes:
    sectors = bzimage[_SETUP_SECTORS] or 4
    offset, length = struct.unpack_from("<II", bzimage, _PAYLOAD)
    start = (sectors + 1) * 512 + offset
    found = _unpacked(bzimage[start : start + length])
    if not found.startswith(b"\x7fELF"):
        raise CannotRun("what is packed in this kernel is no ELF file")
    return found


def _image(file: bytes) -> bytes:
    """The plain Image of an arm64 kernel, which may be packed, alone or in an EFI program that unpacks it."""
    if file[:2] == _GZIP:
        return gzip.decompress(file)
    if file[4:8] == b"zimg":
        offset, length = struct.unpack_from("<II", file, 8)
        return _unpacked(file[offset : offset + length])
    return file


def forms(arch: str, file: bytes, *, every: bool = True) -> dict[str, bytes]:
    """Form -> kernel, from the file that Debian has in /boot; not ``every``: the one that QEMU takes.

    Raises :class:`CannotRun` where it is not as expected.
    """
    if arch == "aarch64":
        image = _image(file)
        if image[0x38:0x3C] != b"ARM\x64":
            raise CannotRun("this kernel has no arm64 Image in it")
        packed = {"Image.gz": gzip.compress(image, 9 if every else 1, mtime=0)}
        return {"Image": image, **packed} if every else packed
    if file[0x202:0x206] == b"" or file[0x1FE:0x200] != b"\x55\xaa":
        raise CannotRun("this kernel is no bzImage")
    return {"bzImage": file, "vmlinux": _vmlinux(file)} if every else {"bzImage": file}


def part_of(root: Path, release: str, name: str) -> Path | None:
    """``vmlinuz`` or ``config`` of an unpacked kernel, wherever its packages put it; None where there is none."""
    places = (
        root / f"boot/{name}-{release}",
        *(root / f"{lib}/modules/{release}/{name}" for lib in ("lib", "usr/lib")),
    )
    return next((path for path in places if path.is_file()), None)


def _plain(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return zstd(data, "-d")
    return data


def _name(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def modules(root: Path, release: str) -> dict[str, bytes]:
    """Path below the root -> file, of the modules that are needed, and their list of dependencies for modprobe.

    They are unpacked: not every modprobe unpacks, and the image is packed as a whole. What is built in has no file.
    """
    folder = next(
        (root / place for place in ("lib/modules", "usr/lib/modules") if (root / place / release).is_dir()), None
    )
    if folder is None:
        raise CannotRun(f"the kernel's package has no modules for {release}")
    there = {_name(path): path for path in (folder / release).rglob("*.ko*")}
    found: dict[str, bytes] = {}
    places: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    waiting = [name.replace("-", "_") for name in MODULES]
    while waiting:
        name = waiting.pop()
        if name in needs or name not in there:
            continue
        data = _plain(there[name])
        match = _DEPENDS.search(b"\0" + data)
        needs[name] = [each.replace("-", "_") for each in match[1].decode().split(",") if each] if match else []
        places[name] = f"kernel/{there[name].name.partition('.ko')[0]}.ko"
        found[places[name]] = data
        waiting += needs[name]
    if "uio_pci_generic" not in needs:
        raise CannotRun(f"the kernel {release} has no uio_pci_generic, with which devices are taken")
    lines = [
        f"{places[name]}: {' '.join(places[each] for each in _all(name, needs))}".strip()
        for name in sorted(needs)
        if name in places
    ]
    listing = {"modules.dep": "\n".join([*lines, ""]).encode()}
    for name in ("modules.builtin", "modules.order"):
        if (folder / release / name).exists():
            listing[name] = (folder / release / name).read_bytes()
    return {f"lib/modules/{release}/{path}": data for path, data in {**found, **listing}.items()}


def _all(name: str, needs: dict[str, list[str]]) -> list[str]:
    """All that a module needs, each before what it needs itself: modprobe loads them from the end."""
    order = [*TopologicalSorter({each: needs.get(each, []) for each in needs}).static_order()]
    wanted = set(needs[name])
    while more := {below for each in wanted for below in needs.get(each, [])} - wanted:
        wanted |= more
    return [each for each in reversed(order) if each in wanted and each in needs]
