"""What has to be undone, on disk before it is done.

One file per function in ``/run/uvirtio``. It is replaced as a whole and synchronised before the step that it
describes, so whatever moment a process dies at, the file says at least what that process may have changed; undoing
something that was not done yet changes nothing.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import CannotRun
from ...spec.pci import Header, MsixControl
from .lock import RUN, run_directory, trusted
from .sysfs import OURS, UIO_DRIVER

__all__ = ["Binding", "Entry", "Journal", "Opened", "Reservation", "Table"]

_VERSION = 1
#: A journal is some hundred bytes long; nothing longer is read.
_LONGEST = 1 << 16
_BDF = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
#: Errors of a file system that has no room: what stands on it can still be overwritten.
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Binding:
    """The driver that a function had, and its override. ``kept``: taken for good (``uvirtio bind``), not for one run."""

    driver: str | None
    override: str
    kept: bool
    #: The driver that it was taken for.
    by: str = UIO_DRIVER


@dataclass(frozen=True, slots=True)
class Table:
    """The first entries of an MSI-X table, as they were: address, data and control of each; where the table is."""

    bar: int
    offset: int
    entries: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A function that a process has open: its command register as it was."""

    command: int
    #: Whether bus mastering was turned on, so that the device may be at work on the process's memory.
    driven: bool = False
    #: Offset of the MSI-X message control register and its value; None without MSI-X.
    msix: tuple[int, int] | None = None
    #: Its vectors, where these were used.
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Huge pages asked of the kernel: its pool before, how many more, how many came (None: died before it was known)."""

    before: int
    wanted: int
    got: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The journal of one function."""

    bdf: str
    pid: int
    binding: Binding | None = None
    opened: Opened | None = None
    hugepages: tuple[Reservation, ...] = field(default_factory=tuple)

    @property
    def empty(self) -> bool:
        """Whether there is nothing left to undo."""
        return self.binding is None and self.opened is None and not self.hugepages


class Journal:
    """The journals of a machine. ``run`` is their directory."""

    def __init__(self, run: Path = RUN) -> None:
        self.run = run

    def path(self, bdf: str) -> Path:
        """Where the journal of a function is."""
        return self.run / f"{bdf}.json"

    def pending(self) -> list[str]:
        """The functions that have a journal: driven now, bound on purpose, or left behind by a process that died.

        Raises :class:`CannotRun` where they cannot be read.
        """
        try:
            names = sorted(os.listdir(self.run))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise CannotRun(f"cannot read the journals in {self.run}: {error.strerror}; run it as root") from error
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def read(self, bdf: str) -> Entry | None:
        """The journal of a function, None where there is none.

        Raises :class:`CannotRun` when it is damaged, or somebody else can have written it: it says what root writes to
        configuration space and to sysfs.
        """
        path = self.path(bdf)
        try:
            # Not blocking, and following no link: what stands here may be anything.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRun(f"cannot read the journal {path}: {error.strerror}; run it as root") from error
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or not trusted(found):
                raise ValueError("not a file of root's alone")
            entry = _decode(json.loads(os.pread(handle, _LONGEST, 0)))
            if entry.bdf != bdf:
                raise ValueError("the journal of another function")
            return entry
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CannotRun(
                f"the journal {path} is damaged, of another release, or not root's alone; see what {bdf} is bound to with "
                "`uvirtio list`, put it right with driver_override and drivers_probe, and remove the file"
            ) from error
        finally:
            os.close(handle)

    def write(self, entry: Entry) -> None:
        """Replace the journal of a function and have it on disk before returning; an empty one is removed.

        One that gets shorter is written over where the file system is full: giving back must not need room.
        Raises :class:`CannotRun`.
        """
        if entry.empty:
            self.remove(entry.bdf)
            return
        directory = run_directory(self.run)
        path = self.path(entry.bdf)
        fresh = path.with_suffix(".new")
        data = json.dumps({"version": _VERSION, **asdict(entry)}, indent=1).encode()
        try:
            with open(fresh, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
            _synchronise(directory)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            if error.errno in _FULL and _overwrite(path, data):
                return
            raise CannotRun(
                f"cannot write the journal {path} ({error.strerror}); nothing was changed for it"
            ) from error

    def change(self, bdf: str, **changes: Any) -> Entry:
        """Replace fields of a function's journal (made when there is none), and write it."""
        entry = self.read(bdf) or Entry(bdf, os.getpid())
        entry = replace(entry, pid=os.getpid(), **changes)
        self.write(entry)
        return entry

    def remove(self, bdf: str) -> None:
        """There is nothing to undo any more."""
        self.path(bdf).unlink(missing_ok=True)


def _decode(data: dict[str, Any]) -> Entry:
    """The entry that a document stands for. Raises :class:`ValueError` and others for what this cannot have written."""
    if data["version"] != _VERSION:
        raise ValueError("another version")
    if not _BDF.fullmatch(data["bdf"]):
        raise ValueError("no PCI address")
    return Entry(
        bdf=data["bdf"],
        pid=_number(data["pid"], 1 << 32),
        binding=_decode_binding(**data["binding"]) if data["binding"] is not None else None,
        opened=_decode_opened(**data["opened"]) if data["opened"] is not None else None,
        hugepages=tuple(_decode_reservation(**item) for item in data["hugepages"]),
    )


def _decode_binding(driver: object, override: object, kept: object, by: object = UIO_DRIVER) -> Binding:
    if by not in OURS:
        raise ValueError(f"{by!r} is no driver that functions are taken for")
    return Binding(None if driver is None else _name(driver), _name(override) if override else "", _flag(kept), str(by))


def _decode_opened(
    command: object, driven: object, msix: list[object] | None, table: dict[str, Any] | None = None
) -> Opened:
    if msix is None:
        return Opened(_number(command, 1 << 16), _flag(driven), None)
    at, control = (_number(value, 1 << 16) for value in msix)
    # Message control stands 2 bytes behind the start of a capability, which lies behind the header on a multiple of 4.
    if at % 4 != 2 or not Header.FIRST_CAPABILITY < at < Header.SIZE:
        raise ValueError("no place for a message control register")
    return Opened(
        _number(command, 1 << 16), _flag(driven), (at, control), _decode_table(**table) if table is not None else None
    )


def _decode_table(bar: object, offset: object, entries: list[list[object]]) -> Table:
    place = _number(offset, 1 << 32)
    if place % 8 or len(entries) > MsixControl.SIZE_MASK + 1:
        raise ValueError("no MSI-X table")
    rows = []
    for address, data, control in entries:
        rows.append((_number(address, 1 << 64), _number(data, 1 << 32), _number(control, 1 << 32)))
    return Table(_number(bar, Header.BARS), place, tuple(rows))


def _decode_reservation(before: object, wanted: object, got: object) -> Reservation:
    most = 1 << 32
    return Reservation(_number(before, most), _number(wanted, most), None if got is None else _number(got, most))


def _number(value: object, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"{value!r} is not a number below {end}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _name(value: object) -> str:
    """A driver's name, which becomes part of a path and is written to sysfs."""
    if (
        not isinstance(value, str)
        or not value.isprintable()
        or "/" in value
        or value in ("", ".", "..")
        or len(value) > 64
    ):
        raise ValueError(f"{value!r} is no driver's name")
    return value


def _overwrite(path: Path, data: bytes) -> bool:
    """Write over a journal that is at least as long, blanks behind it; whether that could be done."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        data = data.ljust(os.fstat(handle).st_size)
        if len(data) > os.fstat(handle).st_size or os.pwrite(handle, data, 0) != len(data):
            return False
        os.fsync(handle)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _synchronise(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
