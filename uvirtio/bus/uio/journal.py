"""What has to be undone, on disk before it is done.

One file per function in ``/run/uvirtio``. It is replaced as a whole and synchronised before the step that it
describes, so whatever moment a process dies at, the file says at least what that process may have changed; undoing
something that was not done yet changes nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import CannotRun
from .lock import RUN, run_directory

__all__ = ["Binding", "Entry", "Journal", "Opened", "Reservation"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Binding:
    """The driver that a function had, and its override. ``kept``: taken for good (``uvirtio bind``), not for one run."""

    driver: str | None
    override: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A function that a process has open: its command register as it was."""

    command: int
    #: Whether bus mastering was turned on, so that the device may be at work on the process's memory.
    driven: bool = False
    #: Offset of the MSI-X message control register and its value; None without MSI-X.
    msix: tuple[int, int] | None = None


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
        """The journal of a function, None where there is none. Raises :class:`CannotRun` when it is damaged."""
        path = self.path(bdf)
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRun(f"cannot read the journal {path}: {error.strerror}; run it as root") from error
        try:
            return _decode(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise CannotRun(
                f"the journal {path} is damaged or of another release; see what {bdf} is bound to with `uvirtio list`, "
                "put it right with driver_override and drivers_probe, and remove the file"
            ) from error

    def write(self, entry: Entry) -> None:
        """Replace the journal of a function and have it on disk before returning; an empty one is removed."""
        if entry.empty:
            self.remove(entry.bdf)
            return
        directory = run_directory(self.run)
        path = self.path(entry.bdf)
        fresh = path.with_suffix(".new")
        try:
            with open(fresh, "w", encoding="utf-8") as file:
                json.dump({"version": _VERSION, **asdict(entry)}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
            _synchronise(directory)
        except OSError as error:
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
    if data["version"] != _VERSION:
        raise ValueError("another version")
    binding, opened = data["binding"], data["opened"]
    if opened is not None and opened["msix"] is not None:
        opened = {**opened, "msix": tuple(opened["msix"])}
    return Entry(
        bdf=data["bdf"],
        pid=data["pid"],
        binding=Binding(**binding) if binding is not None else None,
        opened=Opened(**opened) if opened is not None else None,
        hugepages=tuple(Reservation(**item) for item in data["hugepages"]),
    )


def _synchronise(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
