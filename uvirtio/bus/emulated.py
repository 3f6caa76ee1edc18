"""``emulated:TYPE``: a software device in this process, on a simulated clock. Needs no root and no VM.

The device acts only inside register accesses and due events, so every run is reproducible and waiting costs nothing.
The line behaves like uio_pci_generic's: an interrupt that was delivered disables INTx until it is enabled again.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from ..access.clock import SimulatedClock
from ..access.dma import Arena
from ..access.interrupt import InterruptLine, NoLine
from ..access.view import Region
from ..emulated.function import EmulatedFunction
from ..emulated.layout import BARS
from ..emulated.log import AccessLog
from ..emulated.memory import MappedMemory
from ..emulated.options import parse_options
from ..emulated.triggers import fire, names
from ..errors import CannotRun, DeviceMisbehaved
from ..pci.command import change_command
from ..spec.pci import Command, Header
from . import Surroundings
from .away import time_away
from .locator import Locator

__all__ = ["EmulatedBus", "EmulatedTriggers", "SimulatedLine", "open_emulated"]

#: Where the simulated guest memory starts: above 4 GiB, so that a lost high half of an address shows.
_BASE = 0x1_2345_0000
_CHUNK = 1 << 22
#: Seconds that taking an interrupt takes.
_TAKEN = 1e-6


class _EmulatedArena(Arena):
    """Anonymous memory that the device sees at bus addresses which are no offsets."""

    def __init__(self, memory: MappedMemory) -> None:
        super().__init__()
        self._memory = memory
        self._next = _BASE
        self._maps: list[mmap.mmap] = []

    def grow(self, size: int) -> tuple[memoryview, int]:
        """See :class:`Arena`."""
        size = -(-size // _CHUNK) * _CHUNK
        try:
            mapping = mmap.mmap(-1, size)
        except OSError as error:
            raise CannotRun(f"cannot get {size} bytes of memory: {error.strerror}") from error
        self._maps.append(mapping)
        view = memoryview(mapping)
        base, self._next = self._next, self._next + size + _CHUNK  # a gap: overruns are noticed
        self._memory.map(base, view)
        return view, base

    def close(self) -> None:
        """The device can reach nothing any more; the pages go when the last view of them does."""
        self._memory.clear()
        self._maps.clear()


class SimulatedLine:
    """INTx on the simulated clock."""

    description = "INTx (simulated)"
    present = True

    def __init__(self, clock: SimulatedClock, function: EmulatedFunction) -> None:
        self._clock = clock
        self._delivered = 0
        self._seen = 0
        self.attach(function)

    def attach(self, function: EmulatedFunction) -> None:
        """From now on it is the line of this function."""
        self._function = function
        self._asserted = False
        function.interrupts.on_level = self._level
        function.pci.on_command = self._deliver

    def _level(self, asserted: bool) -> None:
        self._asserted = asserted
        self._deliver()

    def _deliver(self) -> None:
        pci = self._function.pci
        if self._asserted and not pci.intx_disabled:
            self._delivered += 1
            pci.set_command(Command.INTX_DISABLE, True)

    def enable(self) -> None:
        """Clear Interrupt Disable; a level that is still asserted is delivered at once."""
        self._function.pci.set_command(Command.INTX_DISABLE, False)

    def wait(self, seconds: float) -> bool:
        """Let time pass, event by event, until an interrupt was delivered; at least as long as taking one takes."""
        started = self._clock.now()
        deadline = started + seconds
        while self._delivered == self._seen:
            due = self._clock.next_event()
            if due is None or due > deadline:
                self._clock.advance_to(deadline)
                break
            self._clock.advance_to(due)
        arrived = self._delivered != self._seen
        self._seen = self._delivered
        if arrived and self._clock.now() == started:
            # A device that keeps its interrupt up must not stop the time of those who wait for something else.
            self._clock.advance_to(min(started + _TAKEN, deadline))
        return arrived

    def count(self) -> int:
        """See :class:`InterruptLine`."""
        return self._delivered


class EmulatedTriggers:
    """Triggers as direct calls; and ``restore``, which saves the device and puts it into a fresh one ``seconds`` later."""

    def __init__(self, bus: EmulatedBus) -> None:
        self._bus = bus

    def available(self) -> frozenset[str]:
        """See :class:`Triggers`."""
        return names(self._bus.function) | {"restore"}

    def fire(self, name: str, **arguments: object) -> None:
        """See :class:`Triggers`."""
        if name != "restore":
            fire(self._bus.function, name, arguments)
            return
        away = time_away(arguments.pop("seconds", 0.0))
        if arguments:
            raise CannotRun(f"restore takes seconds and nothing else, not {', '.join(arguments)}")
        self._bus.restore(away)


class EmulatedBus:
    """One open emulated function; ``function`` is the device side, for tests and evidence."""

    bus = "emulated"

    def __init__(self, locator: Locator) -> None:
        options = parse_options(locator.target, locator.parameters)
        self.locator = str(locator)
        self.clock = SimulatedClock()
        self.log = AccessLog(self.clock)
        memory = MappedMemory()
        self.function = EmulatedFunction(options, self.clock, memory, self.log)
        self.dma = _EmulatedArena(memory)
        self._memory = memory
        self._options = options
        image = locator.parameters.get("image")
        self.surroundings = Surroundings(
            legacy=False,
            translated=False,
            mapped=False,
            kernel_vectors=False,
            # Storage in memory is gone at the end anyway, and an image file was named for this; a disk of the host is not.
            disposable=image is None or os.path.isfile(image),
            echoes=locator.parameters.get("peer", "echo") == "echo",
            done_at=lambda event: [entry.time for entry in self.log.events(event)],
        )
        self.notes: tuple[str, ...] = ()
        # The kernel has enabled memory decoding by the time a driver sees a function.
        self.function.pci.set_command(Command.MEMORY, True)
        self.config = Region.calls(
            lambda offset, width: self.function.config_read(offset, width),
            lambda offset, width, value: self.function.config_write(offset, width, value),
            Header.SIZE,
        )
        self.line = SimulatedLine(self.clock, self.function) if options.intx else NoLine(self.clock, "no interrupt pin")
        self.triggers = EmulatedTriggers(self)
        self._bars: dict[int, Region] = {}
        self._closed = False

    def bar(self, number: int) -> Region:
        """See :class:`Function`."""
        if number not in BARS:
            raise DeviceMisbehaved(f"{self.locator} has no BAR {number}; it has {', '.join(map(str, BARS))}")
        if number not in self._bars:
            self._bars[number] = Region.calls(*self._accessors(number), BARS[number])
        return self._bars[number]

    def _accessors(self, bar: int) -> tuple[Callable[[int, int], int], Callable[[int, int, int], None]]:
        def read(offset: int, width: int) -> int:
            function = self.function
            return function.bar_read(bar, offset, width) if function.pci.memory else (1 << 8 * width) - 1

        def write(offset: int, width: int, value: int) -> None:
            function = self.function
            if function.pci.memory:
                function.bar_write(bar, offset, width, value)

        return read, write

    def restore(self, away: float = 0.0) -> None:
        """Save the device to a file, and go on with a fresh one that was restored from it ``away`` seconds later.

        Raises :class:`CannotRun` where the file cannot be written.
        """
        # Here, since few devices are ever saved.
        from ..emulated.saved import load, through_a_file

        try:
            state = through_a_file(self.function, lambda: self.clock.sleep(away))
        except OSError as error:
            raise CannotRun(f"the device cannot be saved: {error.strerror}") from error
        self.function = EmulatedFunction(self._options, self.clock, self._memory, self.log)
        if isinstance(self.line, SimulatedLine):
            self.line.attach(self.function)
        load(self.function, state)

    def enable_bus_mastering(self) -> None:
        """See :class:`Function`."""
        change_command(self.config, set_bits=Command.BUS_MASTER)

    def open_vectors(self, count: int, *, events: bool) -> Sequence[InterruptLine]:
        """See :class:`~uvirtio.bus.Function`: messages go to memory, and nobody here receives them as events."""
        return ()

    def close_vectors(self) -> None:
        """See :class:`~uvirtio.bus.Function`."""

    def facts(self) -> dict[str, str]:
        """See :class:`Function`."""
        facts: Mapping[str, str] = {
            "hypervisor": "none: emulated in this process",
            "device": f"emulated {self._options.type_name}, {self._options.describe()}",
            "time": "simulated",
            "interrupt": self.line.description,
            "memory": f"anonymous, bus addresses from {_BASE:#x}",
        }
        return dict(facts)

    def close(self) -> None:
        """See :class:`Function`."""
        if not self._closed:
            self._closed = True
            self.function.close()
            self.dma.close()

    def __enter__(self) -> EmulatedBus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_emulated(locator: Locator) -> EmulatedBus:
    """Open ``emulated:TYPE?...``. Raises :class:`LocatorError` for an unknown type or parameter."""
    return EmulatedBus(locator)
