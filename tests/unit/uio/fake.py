"""A machine made of plain files, whose kernel does what Linux does when the attributes of PCI are written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from uvirtio.bus.uio.sysfs import UIO_DRIVER, Sysfs
from uvirtio.spec.pci import BarFlag, Command, Header

__all__ = ["COMMON_AT", "ISR_AT", "MSIX_AT", "RNG", "Crash", "FakeMachine"]

RNG = "0000:00:05.0"
#: Where the fake function has its MSI-X capability, and its common configuration in BAR 4.
MSIX_AT = 0x60
COMMON_AT = 0x1000
_NOTIFY_AT, ISR_AT, _WINDOW_AT = 0x70, 0x84, 0x94

_IO = 0x40101
_MEM32 = 0x40200
_MEM64_PREFETCH = 0x14220C


class Crash(BaseException):
    """The process died here."""


class FakeMachine(Sysfs):
    """``/sys``, ``/proc`` and ``/dev`` below a folder.

    ``writes`` lists what was written. ``die_at`` N: the process dies instead of doing write N (counted from 0);
    ``broken``: what makes the fake kernel refuse, by attribute name.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.writes: list[str] = []
        self.die_at: int | None = None
        self.broken: dict[str, OSError] = {}
        self.masks_intx = True
        self.takes_no_pin = True
        self.module_there = True
        self.uio_node = True
        self.pages_left = 64
        self.before_write: list[object] = []
        for directory in ("sys/bus/pci/drivers/virtio-pci", "sys/bus/virtio/devices", "dev", "proc/self", "sys/class"):
            (root / directory).mkdir(parents=True)
        (root / "sys/bus/pci/devices").mkdir()
        for name in ("bind", "unbind"):
            (root / "sys/bus/pci/drivers/virtio-pci" / name).touch()
        (root / "sys/bus/pci/drivers_probe").touch()
        pool = root / "sys/kernel/mm/hugepages/hugepages-2048kB"
        pool.mkdir(parents=True)
        for name in ("nr_hugepages", "free_hugepages", "resv_hugepages"):
            (pool / name).write_text("0\n")
        self.pool = pool

    # -- the hardware ------------------------------------------------------------------------------------------

    def add(
        self,
        bdf: str = RNG,
        *,
        device: int = 0x1044,
        vendor: int = 0x1AF4,
        driver: str | None = "virtio-pci",
        pin: int = 1,
        irq: int = 21,
        number: int = 3,
    ) -> Path:
        """A PCI function; returns its directory. ``number``: of its virtioN."""
        at = self.sys / "devices/pci0000:00" / bdf
        at.mkdir(parents=True)
        (self.sys / "bus/pci/devices" / bdf).symlink_to(os.path.relpath(at, self.sys / "bus/pci/devices"))
        attributes = {
            "vendor": f"{vendor:#06x}",
            "device": f"{device:#06x}",
            "subsystem_vendor": "0x1af4",
            "subsystem_device": "0x1100",
            "revision": "0x01",
            "class": "0x00ff00",
            "irq": str(irq),
            "numa_node": "-1",
            "driver_override": "(null)",
            "fake_number": str(number),
        }
        for name, text in attributes.items():
            (at / name).write_text(text + "\n")
        resources = [
            (0xC000, 0x20, _IO),
            (0xFE000000, 0x1000, _MEM32),
            *[(0, 0, 0)] * 2,
            (1 << 34, 0x4000, _MEM64_PREFETCH),
        ]
        lines = [
            f"{start:#018x} {start + size - 1 if size else 0:#018x} {flags:#018x}" for start, size, flags in resources
        ]
        (at / "resource").write_text("\n".join(lines) + "\n")
        for bar, (_, size, _) in enumerate(resources):
            if size:
                (at / f"resource{bar}").write_bytes(bytes(size))
        config = bytearray(256)

        def put(offset: int, width: int, value: int) -> None:
            config[offset : offset + width] = value.to_bytes(width, "little")

        put(Header.VENDOR, 2, vendor)
        put(Header.DEVICE, 2, device)
        put(Header.CLASS, 4, 0x00FF00 << 8 | 1)
        put(Header.SUBSYSTEM_VENDOR, 2, 0x1AF4)
        put(Header.SUBSYSTEM, 2, 0x1100)
        for bar, (start, _, flags) in enumerate(resources):
            kind = {_IO: BarFlag.IO, _MEM64_PREFETCH: BarFlag.TYPE_64 | BarFlag.PREFETCHABLE}.get(flags, 0)
            if start:
                put(Header.BAR0 + 4 * bar, 8 if flags == _MEM64_PREFETCH else 4, start | kind)
        put(Header.COMMAND, 2, Command.MEMORY | Command.IO | Command.BUS_MASTER)
        put(Header.STATUS, 2, 1 << 4)
        put(Header.INTERRUPT_PIN, 1, pin)
        put(Header.CAPABILITIES, 1, 0x40)
        config[0x40:0x50] = (
            bytes([9, MSIX_AT, 16, 1, 4, 0, 0, 0]) + COMMON_AT.to_bytes(4, "little") + bytes([0x40, 0, 0, 0])
        )
        config[MSIX_AT : MSIX_AT + 12] = bytes([0x11, _NOTIFY_AT, 1, 0x80, 1, 0, 0, 0, 1, 8, 0, 0])
        for where, following, kind, size, place, length in (
            (_NOTIFY_AT, ISR_AT, 2, 20, 0x3000, 0x1000), (ISR_AT, _WINDOW_AT, 3, 16, 0x2000, 1), (_WINDOW_AT, 0, 5, 20, 0, 0),
        ):  # fmt: skip
            head = (
                bytes([9, following, size, kind, 4, 0, 0, 0])
                + place.to_bytes(4, "little")
                + length.to_bytes(4, "little")
            )
            config[where : where + size] = head.ljust(size, b"\0")
        (at / "config").write_bytes(config)
        if driver is not None:
            self._bind(bdf, driver)
        return at

    def child(self, bdf: str = RNG, driver: str = "virtio_rng", features: int = 1 << 32) -> Path:
        """The virtioN below a function, with a virtio driver on it; returns its directory."""
        at = next(self.function(bdf).glob("virtio*"))
        drivers = self.sys / "bus/virtio/drivers" / driver
        drivers.mkdir(parents=True, exist_ok=True)
        (at / "driver").symlink_to(drivers)
        (at / "features").write_text(f"{features:064b}"[::-1] + "\n")
        return at

    def class_device(self, parent: Path, kind: str, name: str, /, **attributes: str) -> Path:
        """Something of a class below a device: ``net/eth0``, ``block/vda``."""
        at = parent.resolve() / kind / name
        at.mkdir(parents=True)
        classes = self.sys / "class" / kind
        classes.mkdir(parents=True, exist_ok=True)
        (at / "subsystem").symlink_to(classes)
        (classes / name).symlink_to(at)
        (at / "uevent").write_text(f"DEVNAME={name}\n")
        for attribute, text in attributes.items():
            (at / attribute).write_text(text + "\n")
        return at

    def command(self, bdf: str = RNG) -> int:
        """The command register."""
        return self.peek(bdf, Header.COMMAND, 2)

    def remove(self, bdf: str = RNG) -> None:
        """The function is unplugged."""
        shutil.rmtree(self.function(bdf).resolve())
        (self.sys / "bus/pci/devices" / bdf).unlink()

    def picture(self) -> dict[str, str]:
        """Everything under sysfs and dev that a restore has to bring back."""
        found: dict[str, str] = {}
        for directory, names, files in os.walk(self.sys):
            for name in names + files:
                path = Path(directory, name)
                if path.is_symlink():
                    found[str(path)] = os.readlink(path)
                elif path.is_file():
                    found[str(path)] = path.read_bytes().hex()
        return found | {str(path): "" for path in self.dev.iterdir()}

    def enable_virtual(self, physical: str = RNG, count: int = 2) -> list[str]:
        """As after a write to ``sriov_numvfs``; returns the addresses of the virtual functions.

        Their configuration space is as bare as SR-IOV has it. As with QEMU, there is an interrupt pin all the same, and the
        command register keeps what is written.
        """
        above = self.function(physical)
        found = [f"{physical[:-1]}{1 + number}" for number in range(count)]
        for number, bdf in enumerate(found):
            at = self.add(bdf, irq=0, number=10 + number)
            (at / "physfn").symlink_to(f"../{physical}")
            (above / f"virtfn{number}").symlink_to(f"../{bdf}")
            # A virtual function has no I/O BAR.
            lines = (at / "resource").read_text().splitlines()
            (at / "resource").write_text("\n".join([" ".join(["0x0"] * 3), *lines[1:]]) + "\n")
            (at / "resource0").unlink()
            config = bytearray((at / "config").read_bytes())
            config[Header.VENDOR : Header.COMMAND] = b"\xff" * 4
            config[Header.COMMAND : Header.COMMAND + 2] = Command.BUS_MASTER.to_bytes(2, "little")
            config[Header.BAR0 : Header.BAR0 + 4 * Header.BARS] = bytes(4 * Header.BARS)
            config[Header.CLASS : Header.CLASS + 4] = bytes([1, 0, 0, 2])
            (at / "class").write_text("0x020000\n")
            (at / "config").write_bytes(config)
        return found

    # -- the kernel --------------------------------------------------------------------------------------------

    def _count(self, what: str) -> None:
        if self.die_at is not None and len(self.writes) == self.die_at:
            raise Crash(what)
        self.writes.append(what)

    def _store(self, path: Path, text: str) -> None:
        for call in self.before_write:
            call()  # type: ignore[operator]
        self._count(f"{path.name}={text.strip()}")
        if path.name in self.broken:
            raise self.broken[path.name]
        if path.name == "driver_override":
            path.write_text("(null)\n" if text == "\n" else text + "\n")
        elif path.name == "unbind":
            self._unbind(text)
        elif path.name == "drivers_probe":
            if self.driver(text) is None:
                wanted = self.override(text) or "virtio-pci"
                interrupt = self.takes_no_pin or self.number(self.function(text) / "irq") > 0
                if wanted != UIO_DRIVER or (self.masks_intx and interrupt):
                    self._bind(text, wanted)
        elif path.name == "bind":
            self._bind(text, path.parent.name)
        elif path.name == "nr_hugepages":
            pages = min(int(text), self.pages_left)
            path.write_text(f"{pages}\n")
            (self.pool / "free_hugepages").write_text(f"{pages}\n")
        else:
            raise AssertionError(f"nobody should write to {path}")

    def _store_config(self, path: Path, offset: int, data: bytes) -> None:
        if offset != Header.COMMAND:
            for call in self.before_write:
                call()  # type: ignore[operator]
        self._count(f"config+{offset:#x}={data.hex()}")
        if not self.masks_intx and offset == Header.COMMAND:
            value = int.from_bytes(data, "little") & ~Command.INTX_DISABLE
            data = value.to_bytes(2, "little")
        super()._store_config(path, offset, data)

    def modprobe(self, module: str) -> str:
        if not self.module_there:
            return f"modprobe: FATAL: Module {module} not found"
        directory = self.sys / "bus/pci/drivers" / module
        directory.mkdir(exist_ok=True)
        for name in ("bind", "unbind"):
            (directory / name).touch()
        return ""

    def _bind(self, bdf: str, driver: str) -> None:
        at = self.function(bdf)
        (at / "driver").symlink_to(self.sys / "bus/pci/drivers" / driver)
        if driver == "virtio-pci":
            name = f"virtio{(at / 'fake_number').read_text().strip()}"
            (at / name).mkdir()
            (at / name / "status").write_text("0x0000000f\n")
            (self.sys / "bus/virtio/devices" / name).symlink_to(at.resolve() / name)
        elif driver == UIO_DRIVER:
            (at / "uio/uio0").mkdir(parents=True)
            (at / "uio/uio0/event").write_text("7\n")
            if self.uio_node:
                os.mkfifo(self.dev / "uio0")

    def _unbind(self, bdf: str) -> None:
        at = self.function(bdf)
        for child in at.glob("virtio*"):
            (self.sys / "bus/virtio/devices" / child.name).unlink()
            shutil.rmtree(child)
        if (at / "uio").exists():
            shutil.rmtree(at / "uio")
            (self.dev / "uio0").unlink(missing_ok=True)
        (at / "driver").unlink()
