"""The machine as sysfs shows it: one small class, and the one place that writes to it.

Everything under ``bus/uio`` reaches ``/sys``, ``/dev`` and ``/proc`` through a :class:`Sysfs`, whose root is
settable: a tree of plain files serves as well as the kernel's. With ``dry_run`` the writes are only told.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from ...errors import CannotRun, NoSuchDevice, PrivilegeMissing

__all__ = ["UIO_DRIVER", "Sysfs", "explain"]

#: The kernel driver that gives a PCI function to userspace.
UIO_DRIVER = "uio_pci_generic"
#: Longest time for modprobe, in seconds.
_MODPROBE_TIME = 30.0


def explain(error: OSError, doing: str) -> CannotRun:
    """The error of this tree for a system call that failed while ``doing`` something."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return PrivilegeMissing(f"no permission for {doing} ({error.strerror}); run it as root (sudo uvirtio ...)")
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return NoSuchDevice(
            f"the device disappeared during {doing} ({error.strerror}); `uvirtio list` shows what is there"
        )
    return CannotRun(f"{doing} failed: {error.strerror}; the kernel's log (dmesg) may say why")


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
        self.dry_run = dry_run
        self._tell = tell

    # -- reading -----------------------------------------------------------------------------------------------

    def read(self, path: Path, default: str = "") -> str:
        """The text of a file without white space around it; ``default`` where it cannot be read (any more)."""
        try:
            return path.read_bytes().decode("utf-8", "replace").strip("\0 \t\n")
        except OSError:
            return default

    def number(self, path: Path, default: int = 0) -> int:
        """The number in a file, decimal or 0x hexadecimal; ``default`` where there is none."""
        try:
            return int(self.read(path), 0)
        except ValueError:
            return default

    def link(self, path: Path) -> str | None:
        """The last part of what a symbolic link points to, None where there is no link."""
        try:
            return os.path.basename(os.readlink(path))
        except OSError:
            return None

    def names(self, path: Path) -> list[str]:
        """The sorted names in a directory; none where it is not there."""
        try:
            return sorted(os.listdir(path))
        except OSError:
            return []

    def function(self, bdf: str) -> Path:
        """The directory of a PCI function."""
        return self.sys / "bus/pci/devices" / bdf

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
        try:
            done = subprocess.run(
                ["modprobe", module], capture_output=True, text=True, timeout=_MODPROBE_TIME, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            return "there is no modprobe command (package kmod)"
        except subprocess.TimeoutExpired:
            return f"modprobe did not end within {_MODPROBE_TIME:g} s"
        return "" if done.returncode == 0 else done.stderr.strip() or f"modprobe ended with status {done.returncode}"

    def note(self, line: str) -> None:
        if self._tell is not None:
            self._tell(line)
