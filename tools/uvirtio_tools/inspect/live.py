"""Devices over time: look again and again, and tell what changed as events."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from uvirtio.bus import Function
from uvirtio.bus.locator import Locator, parse
from uvirtio.bus.opening import open_function
from uvirtio.bus.uio.discovery import describe, discover, resolve
from uvirtio.bus.uio.sysfs import OURS, Sysfs, address_order
from uvirtio.bus.uio.tables import Tables
from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DeviceTimeout, NoSuchDevice, UvirtioError
from uvirtio.programs import environment, python_module, signal_name

from ..codec import decode
from .changes import compare
from .model import Description
from .sources import Look, describe_open, describe_sysfs

__all__ = ["Event", "LiveDevice", "LiveMachine", "Row", "interrupts_of"]

#: Events that are kept.
_EVENTS = 500
#: Longest time that a look in another process may take, in seconds.
_LOOK = 20.0


def interrupts_of(numbers: Iterable[int], table: Path = Path("/proc/interrupts")) -> int | None:
    """How often these Linux interrupts have fired on all CPUs; None where none of them is in the table."""
    wanted = {str(number) for number in numbers}
    total, found = 0, False
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return None
    processors = len(lines[0].split()) if lines else 0
    for line in lines[1:]:
        name, _, counts = line.partition(":")
        if name.strip() in wanted:
            found = True
            total += sum(int(count) for count in counts.split()[:processors] if count.isdecimal())
    return total if found else None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed: seconds since the epoch, and a sentence."""

    time: float
    text: str

    @property
    def clock(self) -> str:
        """Time of day, for people."""
        return time.strftime("%H:%M:%S", time.localtime(self.time))


class LiveDevice:
    """One device, looked at again with every :meth:`refresh`.

    ``description`` is the last one that could be had, ``error`` why there is none now (empty: there is). A fixed
    ``description`` (of a snapshot) never changes.
    """

    def __init__(self, locator: str, *, fixed: Description | None = None, sysfs: Sysfs | None = None) -> None:
        self.locator = locator
        self.description: Description | None = fixed
        self.error = ""
        self.gone = False
        self.events: deque[Event] = deque(maxlen=_EVENTS)
        self.interrupts: int | None = None
        #: Interrupts a second between the last two looks; None where they are not counted.
        self.rate: float | None = None
        self._fixed = fixed is not None
        self._sysfs = sysfs
        self._function: Function | None = None
        self._when = 0.0
        self._lent = False
        #: Several views of one device look from threads of their own.
        self._lock = threading.RLock()

    def lend(self) -> None:
        """Let go of the device for somebody who drives it: many servers serve one connection. No looks until :meth:`take_back`."""
        with self._lock:
            self._lent = True
            self.close()

    def take_back(self) -> None:
        """It is looked at again."""
        self._lent = False

    def refresh(self) -> bool:
        """Look again; whether anything changed. Never raises what a device or a machine can cause."""
        with self._lock:
            return False if self._fixed or self._lent else self._refresh()

    def _refresh(self) -> bool:
        before_error = self.error
        try:
            found = self._look()
        except UvirtioError as error:
            self.error = str(error)
            # What was never there is not gone.
            lost = isinstance(error, (DeviceGone, NoSuchDevice)) and self.description is not None
            self.gone = self.gone or lost
            if self.error != before_error:
                self._tell(f"{'gone: ' if self.gone else ''}{self.error}")
            return self.error != before_error
        return self.take(found) or bool(before_error)

    def take(self, found: Description) -> bool:
        """Take note of a look that was had otherwise (by who drives the device); whether anything changed."""
        before = self.description
        if self.gone or self.error:
            self._tell("it is there again")
        self.error, self.gone, self.description = "", False, found
        self._count(found)
        if before is None:
            self._tell(f"first look: status {found.status_text}")
            return True
        changes = compare(before, found)
        for change in changes:
            self._tell(f"{change.what}: {change.before} -> {change.after}")
        return bool(changes)

    def _tell(self, text: str) -> None:
        self.events.append(Event(time.time(), text))

    def _count(self, found: Description) -> None:
        now = time.monotonic()
        count: int | None = None
        if self._function is not None:
            count = self._function.line.count() if self._function.line.present else None
        elif found.interrupt is not None:
            numbers = (found.interrupt.linux_irq, *found.interrupt.vectors_in_use)
            count = interrupts_of(filter(None, numbers))
        if count is not None and self.interrupts is not None and now > self._when:
            self.rate = max(0.0, (count - self.interrupts) / (now - self._when))
        self.interrupts, self._when = count, now

    @property
    def lent(self) -> bool:
        """Whether somebody drives it."""
        return self._lent

    def _look(self) -> Description:
        locator = parse(self.locator)
        if not locator.of_this_machine:
            return self._look_open(locator)
        sysfs = self._sysfs or Sysfs()
        bdf = resolve(locator.target, sysfs)
        function = describe(sysfs, bdf)
        if function.driver is not None and function.driver not in OURS:
            return describe_sysfs(function, sysfs)
        if self._sysfs is not None:
            return describe_sysfs(function, sysfs, Look(registers=False))
        return _look_elsewhere(bdf)

    def _look_open(self, locator: Locator) -> Description:
        if self._function is None:
            self._function = open_function(locator)
        try:
            return describe_open(self._function)
        except DeviceError:
            self.close()
            raise

    def close(self) -> None:
        """Give back what is held open."""
        if self._function is not None:
            function, self._function = self._function, None
            function.close()


def _look_elsewhere(bdf: str) -> Description:
    """Read mapped registers in another process: a device that is pulled out meanwhile ends that one with SIGBUS."""
    try:
        done = subprocess.run(
            python_module("uvirtio", "show", bdf, "--json"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LOOK,
        )
    except subprocess.TimeoutExpired:
        raise DeviceTimeout(f"{bdf}: reading the registers did not end within {_LOOK:g} s", seconds=_LOOK) from None
    if done.returncode < 0:
        name = signal_name(-done.returncode)
        raise DeviceGone(f"{bdf}: the process that read its registers ended by {name}; the device was removed")
    if done.returncode:
        raise CannotRun(done.stderr.strip().removeprefix("uvirtio: ") or f"{bdf} cannot be read")
    return decode(Description, json.loads(done.stdout), bdf)


@dataclass(slots=True)
class Row:
    """One line of the device list: what is known, or why nothing is."""

    locator: str
    description: Description | None
    error: str = ""
    gone: bool = False


class LiveMachine:
    """The virtio functions of this machine, or the devices of a snapshot, or those that were named.

    A function that disappears keeps its row, marked as gone, until it comes back.
    """

    def __init__(
        self,
        *,
        fixed: Iterable[Description] | None = None,
        named: Iterable[str] = (),
        sysfs: Sysfs | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.error = ""
        self._fixed = list(fixed) if fixed is not None else None
        self._named = [LiveDevice(name, sysfs=sysfs) for name in named]
        self._sysfs = sysfs
        self._known: dict[str, tuple[str | None, Description]] = {}

    @property
    def is_fixed(self) -> bool:
        """Whether these are the devices of a snapshot."""
        return self._fixed is not None

    def device(self, locator: str) -> LiveDevice:
        """The device of a row, to be looked at closely. One that was named is the same for every view."""
        if self._fixed is not None:
            return LiveDevice(locator, fixed=next(each for each in self._fixed if each.locator == locator))
        for each in self._named:
            if each.locator == locator:
                return each
        found = LiveDevice(locator, sysfs=self._sysfs)
        found.description = next((row.description for row in self.rows if row.locator == locator), None)
        return found

    def refresh(self) -> None:
        """Look again. Never raises what a machine can cause."""
        if self._fixed is not None:
            self.rows = [Row(device.locator, device) for device in self._fixed]
            return
        rows = []
        for device in self._named:
            device.refresh()
            rows.append(Row(device.locator, device.description, device.error, device.gone))
        if not self._named:
            rows += self._machine()
        self.rows = rows

    def _machine(self) -> list[Row]:
        sysfs = self._sysfs or Sysfs()
        self.error = ""
        try:
            functions = discover(sysfs)
        except (UvirtioError, OSError) as error:
            self.error = str(error)
            return self.rows
        rows = []
        tables = Tables(sysfs)
        for function in functions:
            known = self._known.get(function.address)
            try:
                # Registers are read once for each driver: the list shall not be in the way of a run.
                fresh = known is None or known[0] != function.driver
                look = fresh and self._sysfs is None
                found = describe_sysfs(function, sysfs, Look(registers=look, raw=False), tables=tables)
                if known is not None and not fresh and known[1].suspend_known:
                    found = _keep_suspend(found, known[1])
                self._known[function.address] = (function.driver, found)
                rows.append(Row(function.address, found))
            except UvirtioError as error:
                rows.append(Row(function.address, known[1] if known else None, str(error)))
        there = {row.locator for row in rows}
        rows += [
            Row(address, found, "the device is gone", gone=True)
            for address, (_, found) in self._known.items()
            if address not in there
        ]
        return sorted(rows, key=lambda row: address_order(row.locator))

    def close(self) -> None:
        """Give back what is held open."""
        for device in self._named:
            device.close()


def _keep_suspend(found: Description, before: Description) -> Description:
    from dataclasses import replace

    return replace(found, suspend=before.suspend, suspend_known=True, offered=before.offered)
