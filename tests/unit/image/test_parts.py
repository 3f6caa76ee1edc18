"""The parts of an image: the archive, the kernel's forms, its modules, what is unpacked."""

from __future__ import annotations

import gzip
import lzma
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from uvirtio.errors import CannotRun
from uvirtio_tools.image import lz4
from uvirtio_tools.image.bundle import Member, compiled
from uvirtio_tools.image.cpio import archive
from uvirtio_tools.image.kernels import forms, modules
from uvirtio_tools.image.places import Image, arch_of, load
from uvirtio_tools.image.system import base, with_python


def test_the_archive_is_what_the_kernel_unpacks() -> None:
    files = {
        "init": (stat.S_IFREG | 0o755, b"#!/bin/sh\n"),
        "usr/lib/a": (stat.S_IFREG | 0o644, b"abc"),
        "lib": (stat.S_IFLNK | 0o777, b"usr/lib"),
    }
    data = archive(files)
    assert data == archive(dict(reversed(files.items())))
    entries = _entries(data)
    assert entries["init"] == (stat.S_IFREG | 0o755, b"#!/bin/sh\n")
    assert entries["lib"] == (stat.S_IFLNK | 0o777, b"usr/lib")
    assert entries["usr/lib"] == (stat.S_IFDIR | 0o755, b"")
    assert stat.S_ISCHR(entries["dev/console"][0])
    # What is above something comes before it.
    assert [name for name in entries if name.startswith("usr")] == ["usr", "usr/lib", "usr/lib/a"]


def _entries(data: bytes) -> dict[str, tuple[int, bytes]]:
    """An archive taken apart as the kernel does it (init/initramfs.c)."""
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        assert at % 4 == 0
        mode, size, length = (int(data[at + 6 + 8 * field : at + 14 + 8 * field], 16) for field in (1, 6, 11))
        name = data[at + 110 : at + 110 + length - 1].decode()
        start = (at + 110 + length + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, data[start : start + size])
        at = (start + size + 3) & ~3


def _bzimage(payload: bytes) -> bytes:
    image = bytearray(5 * 512) + payload + bytes(64)
    image[0x1F1] = 4
    image[0x1FE:0x200] = b"\x55\xaa"
    struct.pack_into("<II", image, 0x248, 0, len(payload))
    return bytes(image)


def _legacy(data: bytes) -> bytes:
    """All literals: the simplest block that there is."""
    count = len(data)
    token = bytes([min(count, 15) << 4])
    rest = b"" if count < 15 else b"\xff" * ((count - 15) // 255) + bytes([(count - 15) % 255])
    block = token + rest + data
    return lz4.MAGIC + struct.pack("<I", len(block)) + block


VMLINUX = b"\x7fELF" + b"kernel" * 50


@pytest.mark.parametrize(
    "payload",
    [
        lzma.compress(VMLINUX) + b"\0\1\2\3",
        gzip.compress(VMLINUX) + b"\0\0\0\0",
        _legacy(VMLINUX) + struct.pack("<I", len(VMLINUX)),
    ],
    ids=["xz", "gzip", "lz4"],
)
def test_the_elf_file_is_found_in_a_bzimage_however_it_is_packed(payload: bytes) -> None:
    file = _bzimage(payload)
    assert forms("x86_64", file) == {"bzImage": file, "vmlinux": VMLINUX}


def test_a_kernel_that_is_packed_otherwise_is_told() -> None:
    with pytest.raises(CannotRun, match=r"packed in a way that is not known here: it begins with 01 02"):
        forms("x86_64", _bzimage(b"\1\2\3\4\5\6\7\10"))
    with pytest.raises(CannotRun, match="no bzImage"):
        forms("x86_64", b"x" * 4096)


def test_an_arm64_image_is_found_alone_packed_and_in_an_efi_program() -> None:
    image = bytearray(256)
    image[0x38:0x3C] = b"ARM\x64"
    packed = gzip.compress(bytes(image))
    program = b"MZ\0\0zimg" + struct.pack("<II", 64, len(packed)) + bytes(48) + packed
    for file in (bytes(image), packed, program):
        found = forms("aarch64", file)
        assert found["Image"] == image
        assert gzip.decompress(found["Image.gz"]) == image
    with pytest.raises(CannotRun, match="no arm64 Image"):
        forms("aarch64", bytes(256))


def test_lz4_matches_reach_back_and_over_themselves() -> None:
    block = b"\x30abc" + b"\x03\x00" + b"\x0f\x01\x00\x05" + b"\x10X"
    data = lz4.MAGIC + struct.pack("<I", len(block)) + block
    assert lz4.unpack(data) == b"abc" + b"abca" + b"a" * 24 + b"X"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        lz4.MAGIC + struct.pack("<I", 9) + b"\xf0",
        lz4.MAGIC + struct.pack("<I", 4) + b"\x00\x09\x00\x00",
    ],
)
def test_lz4_that_is_none_or_cut_off_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no legacy frame|cut off|before the beginning"):
        lz4.unpack(data)


def _module(folder: Path, name: str, needs: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=x\0"
    (folder / name).write_bytes(lzma.compress(data) if name.endswith(".xz") else data)


def test_modules_come_unpacked_with_all_that_they_need_in_an_order_that_can_be_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "lib/modules/1.2.3/kernel/drivers"
    _module(folder, "uio_pci_generic.ko.xz", "uio")
    _module(folder, "uio.ko.xz", "")
    _module(folder, "virtio_pci.ko", "virtio_ring,virtio,virtio-x")
    _module(folder, "virtio.ko", "virtio_ring")
    _module(folder, "virtio_ring.ko", "")
    _module(folder, "virtio-x.ko", "virtio")
    _module(folder, "unrelated.ko", "")
    found = modules(tmp_path, "1.2.3")
    listing = found["lib/modules/1.2.3/modules.dep"].decode()
    assert "kernel/uio_pci_generic.ko: kernel/uio.ko\n" in listing
    assert "kernel/virtio_pci.ko: kernel/virtio-x.ko kernel/virtio.ko kernel/virtio_ring.ko\n" in listing
    assert found["lib/modules/1.2.3/kernel/uio.ko"].startswith(b"\x7fELF")
    assert not [path for path in found if "unrelated" in path]


def test_a_kernel_without_the_module_that_takes_devices_is_refused(tmp_path: Path) -> None:
    _module(tmp_path / "lib/modules/1.2.3", "virtio_pci.ko", "")
    with pytest.raises(CannotRun, match=r"1\.2\.3 has no uio_pci_generic"):
        modules(tmp_path, "1.2.3")


def test_the_root_has_what_is_needed_where_old_places_lead_and_modules_as_byte_code(tmp_path: Path) -> None:
    import sys

    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for place in (
        "bin/busybox", "lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libssl.so.3", "lib/x86_64-linux-gnu/libudev.so.1",
        f"usr/bin/{name}", f"usr/lib/{name}/os.py", f"usr/lib/{name}/turtle.py", f"usr/lib/{name}/test/__init__.py",
    ):  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("x = 1\n")
    files = base(tmp_path, "x86_64") | with_python(tmp_path, [Member("uvirtio/a.py", b"y = 2\n")])
    assert {"init", "usr/bin/busybox", "usr/lib/x86_64-linux-gnu/libc.so.6", f"usr/lib/{name}/os.pyc"} <= set(files)
    assert "usr/lib/python3/dist-packages/uvirtio/a.pyc" in files
    assert not [path for path in files if "libssl" in path or "turtle" in path or "/test/" in path]
    assert b"=> /usr/lib/x86_64-linux-gnu/libudev.so.1" in files["usr/sbin/ldconfig"][1]
    assert subprocess.run(["sh", "-n"], input=files["init"][1], check=False).returncode == 0


def test_byte_code_does_not_depend_on_times_or_places() -> None:
    member = Member("a/b.py", b"def f():\n    return 1\n")
    assert compiled(member) == compiled(member)
    assert compiled(member).path == "a/b.pyc"


def test_what_is_said_about_an_image_is_read_again_and_damage_is_told(tmp_path: Path) -> None:
    image = Image("x86_64", "6.1", "3.11", "0.1", {"initramfs": 1}, tmp_path)
    with pytest.raises(CannotRun, match="uvirtio image build"):
        load(tmp_path)
    image.save()
    (tmp_path / "initramfs").write_bytes(b"x")
    assert load(tmp_path) == image
    assert load(tmp_path).file("initramfs") == tmp_path / "initramfs"
    with pytest.raises(CannotRun, match="has no vmlinux; it has initramfs"):
        load(tmp_path).file("vmlinux")
    (tmp_path / "image.json").write_text("{")
    with pytest.raises(CannotRun, match="cannot be understood"):
        load(tmp_path)


def test_an_architecture_is_known_by_both_of_its_names() -> None:
    assert (arch_of("amd64"), arch_of("arm64"), arch_of("aarch64")) == ("x86_64", "aarch64", "aarch64")
