"""The machine as sysfs shows it: one small class, and the one place that writes to it.

Everything under ``bus/uio`` reaches ``/sys``, ``/dev`` and ``/proc`` through a :class:`Sysfs`, whose root is
settable: a tree of plain files serves as well as the kernel's. With ``dry_run`` the writes are only told.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ...errors import CannotRun, NoSuchDevice, PrivilegeMissing
from ...programs import find

__all__ = ["OURS", "UIO_DRIVER", "VFIO_DRIVER", "Directory", "Sysfs", "address_order", "explain", "is_address"]

#: The kernel driver that gives a PCI function to userspace.
UIO_DRIVER = "uio_pci_generic"
#: The one that gives it away behind an IOMMU.
VFIO_DRIVER = "vfio-pci"
#: The drivers that functions are taken for.
OURS = (UIO_DRIVER, VFIO_DRIVER)
#: Longest time for modprobe, in seconds.
_MODPROBE_TIME = 30.0
#: No attribute of sysfs is longer, in bytes.
_PAGE = 4096
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
#: A file descriptor that stands for nothing: every call with it fails with EBADF.
_NOTHING = -1


def is_address(text: str) -> bool:
    """Whether this is a PCI address in full, as sysfs writes it."""
    return _ADDRESS.fullmatch(text) is not None


def address_order(address: str) -> list[int]:
    """Sorts full PCI addresses by their numbers: a domain of five digits comes behind those of four."""
    return [int(part, 16) for part in address.replace(".", ":").split(":")]


def explain(error: OSError, doing: str) -> CannotRun:
    """The error of this tree for a system call that failed while ``doing`` something."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return PrivilegeMissing(f"no permission for {doing} ({error.strerror}); run it as root (sudo uvirtio ...)")
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return NoSuchDevice(
            f"the device disappeared during {doing} ({error.strerror}); `uvirtio list` shows what is there"
        )
    return CannotRun(f"{doing} failed: {error.strerror}; the kernel's log (dmesg) may say why")


def _text(path: str | Path, default: str, folder: int | None = None) -> str:
    # os.open and os.read: a third of what a file object costs, and a list reads a dozen attributes per device.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return default
    try:
        data = os.read(handle, _PAGE)
        if folder is None and data:
            # A table of /proc comes in pieces of whole lines, which may be shorter than what was asked for.
            data = b"".join([data, *iter(lambda: os.read(handle, _PAGE), b"")])
    except OSError:
        return default
    finally:
        os.close(handle)
    return data.decode("utf-8", "replace").strip("\0 \t\n")


def _number(text: str, default: int) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return default


class Directory:
    """A directory that is held open, and what stands in it by relative path. Empty where it is not there (any more).

    Everything is read from the directory that was opened, also when the device goes and another takes its address.
    """

    __slots__ = ("_handle", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._handle = _NOTHING

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._handle != _NOTHING:
            os.close(self._handle)

    @contextmanager
    def file(self, name: str) -> Iterator[int]:
        """An open file to read at offsets: a file descriptor, -1 (of which nothing can be read) where there is none."""
        try:
            handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._handle)
        except OSError:
            yield _NOTHING
            return
        try:
            yield handle
        finally:
            os.close(handle)

    def read(self, name: str, default: str = "") -> str:
        """The text of a file without white space around it; ``default`` where it cannot be read (any more)."""
        return _text(name, default, self._handle)

    def number(self, name: str, default: int = 0) -> int:
        """The number in a file, decimal or 0x hexadecimal; ``default`` where there is none."""
        return _number(_text(name, "", self._handle), default)

    def link(self, name: str) -> str | None:
        """The last part of what a symbolic link points to, None where there is no link."""
        try:
            return os.path.basename(os.readlink(name, dir_fd=self._handle))
        except OSError:
            return None

    def names(self, name: str = ".") -> list[str]:
        """The sorted names in this directory, or in one below it; none where it is not there."""
        if self._handle == _NOTHING:
            return []  # Python takes a descriptor of -1 for none given, and would list the working directory.
        try:
            if name == ".":
                return sorted(os.listdir(self._handle))
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._handle)
        except OSError:
            return []
        try:
            return sorted(os.listdir(handle))
        except OSError:
            return []
        finally:
            os.close(handle)


class Sysfs:
    """``/sys``, ``/dev`` and ``/proc`` under one ``root``.

    ``tell`` gets one line per write, in the form of a shell command; with ``dry_run`` nothing else happens.
    """

    def __init__(
        self, root: str | Path = "/", *, dry_run: bool = False, tell: Callable[[str], None] | None = None
    ) -> None:
        self.root = Path(root)
        self.sys = self.root / "sys"
        self.dev = self.root / "dev"
        self.proc = self.root / "proc"
        self._functions = str(self.sys / "bus/pci/devices")
        self.dry_run = dry_run
        self._tell = tell

    # -- reading -----------------------------------------------------------------------------------------------

    def read(self, path: str | Path, default: str = "") -> str:
        """The text of a file without white space around it; ``default`` where it cannot be read (any more)."""
        return _text(path, default)

    def number(self, path: str | Path, default: int = 0) -> int:
        """The number in a file, decimal or 0x hexadecimal; ``default`` where there is none."""
        return _number(_text(path, ""), default)

    def link(self, path: str | Path) -> str | None:
        """The last part of what a symbolic link points to, None where there is no link."""
        try:
            return os.path.basename(os.readlink(path))
        except OSError:
            return None

    def names(self, path: str | Path) -> list[str]:
        """The sorted names in a directory; none where it is not there."""
        try:
            return sorted(os.listdir(path))
        except OSError:
            return []

    def function(self, bdf: str) -> Path:
        """The directory of a PCI function."""
        return self.sys / "bus/pci/devices" / bdf

    def directory(self, bdf: str) -> Directory:
        """The same, held open: for reading much of it."""
        return Directory(f"{self._functions}/{bdf}")

    def addresses(self) -> list[str]:
        """The addresses of all PCI functions of this machine, in order."""
        return sorted(filter(is_address, self.names(self._functions)), key=address_order)

    def exists(self, bdf: str) -> bool:
        """Whether there is such a PCI function now."""
        return self.function(bdf).is_dir()

    def driver(self, bdf: str) -> str | None:
        """The kernel driver that holds the function, None for none."""
        return self.link(self.function(bdf) / "driver")

    def override(self, bdf: str) -> str:
        """What ``driver_override`` says, empty for nothing."""
        text = self.read(self.function(bdf) / "driver_override")
        return "" if text == "(null)" else text

    def uio(self, bdf: str) -> str | None:
        """The name of the function's UIO device (``uio0``), None where there is none."""
        found = [name for name in self.names(self.function(bdf) / "uio") if name.startswith("uio")]
        return found[0] if found else None

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, path: Path, text: str) -> None:
        """Write to an attribute. Raises :class:`PrivilegeMissing`, :class:`NoSuchDevice` or :class:`CannotRun`."""
        import shlex

        shown = shlex.quote(text.replace("\n", "\\n"))
        self.note(f"printf {shown} > {path}")
        if self.dry_run:
            return
        try:
            self._store(path, text)
        except FileNotFoundError as error:
            raise NoSuchDevice(f"{path} is not there (any more); `uvirtio list` shows what is") from error
        except OSError as error:
            raise explain(error, f"writing {text.strip()!r} to {path}") from error

    def _store(self, path: Path, text: str) -> None:
        # One write() without truncation or creation: an attribute takes a value whole, and is never made.
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def peek(self, bdf: str, offset: int, width: int) -> int:
        """One aligned read of 1, 2 or 4 bytes of configuration space; all-ones where nothing answers."""
        try:
            handle = os.open(self.function(bdf) / "config", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return (1 << 8 * width) - 1
        try:
            data = os.pread(handle, width, offset)
        except OSError:
            data = b""
        finally:
            os.close(handle)
        return int.from_bytes(data, "little") if len(data) == width else (1 << 8 * width) - 1

    def poke(self, bdf: str, offset: int, width: int, value: int) -> None:
        """One aligned write of 1, 2 or 4 bytes to configuration space. Raises as :meth:`write` does."""
        self.note(f"setpci -s {bdf} {offset:x}.{'BW L'[width - 1]}={value:x}")
        if self.dry_run:
            return
        path = self.function(bdf) / "config"
        try:
            self._store_config(path, offset, value.to_bytes(width, "little"))
        except FileNotFoundError as error:
            raise NoSuchDevice(f"there is no PCI function {bdf} (any more); `uvirtio list` shows what is") from error
        except OSError as error:
            raise explain(error, f"writing {offset:#x} in the configuration space of {bdf}") from error

    def _store_config(self, path: Path, offset: int, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(handle, data, offset)
        finally:
            os.close(handle)

    def modprobe(self, module: str) -> str:
        """Load a kernel module; returns what modprobe complained about, empty when it did not."""
        import subprocess

        self.note(f"modprobe {module}")
        if self.dry_run:
            return ""
        if (program := find("modprobe", system=True)) is None:
            return "there is no modprobe command (package kmod)"
        try:
            done = subprocess.run(
                [program, module], capture_output=True, text=True, timeout=_MODPROBE_TIME, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return f"modprobe did not end within {_MODPROBE_TIME:g} s"
        return "" if done.returncode == 0 else done.stderr.strip() or f"modprobe ended with status {done.returncode}"

    def note(self, line: str) -> None:
        if self._tell is not None:
            self._tell(line)
