"""MSI-X without a kernel's help: messages that a device writes into the driver's memory, and its pending bits.

A table entry whose address is memory of the driver's makes a message a plain write there, which costs a load to look at; a
vector that is masked leaves a bit in the function. Where the bus delivers vectors as events those are used.

On a machine with KVM a hypervisor may hand a message to the interrupt controller instead of writing it. So none may mean
anything there: bits 19 to 12 of an address, the destination, name no CPU, the low bits choose no logical mode, and the data is
of a fixed interrupt with vector 0, which no CPU takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from .access.dma import Dma
from .access.interrupt import InterruptLine
from .access.trace import Message, Recorder
from .access.wait import YES, poll
from .bus import Function
from .errors import CannotRun
from .mapped_vectors import MappedVectors
from .pci.capabilities import Capability
from .pci.msix import Vector, VectorTable
from .spec.pci import MsixControl
from .transport import Transport
from .transport.common_registers import CommonRegisters
from .transport.modern import ModernTransport

__all__ = ["MOST", "Compared", "Messages", "Way", "destination"]

#: Vectors that are used at most: so many boxes fit a page, whose address has to name no CPU.
MOST = 256
#: Bytes from one box to the next: the low four bits of its address are 0.
_BOX = 16
_PAGE = 1 << 12
#: Bits 19 to 12 of an address are a destination, so what lies at the same place of each MiB names the same one.
_MIB = 1 << 20
#: The upper half of a message's data, where its vector is not; never all zeros.
_OURS = 0xA000
_CPUINFO = Path("/proc/cpuinfo")
#: Longest nap between two looks while one waits (s).
_NAP = 1e-3


class Compared(NamedTuple):
    """What shows a request: a pending bit, and once it is unmasked a message. ``taken_back``: no bit is left then."""

    pending: bool
    memory: bool
    taken_back: bool


class Way(StrEnum):
    """How messages are seen."""

    MEMORY = "messages into memory"
    PENDING = "pending bits"
    EVENTS = "events of the bus"


def destination(cpuinfo: Path = _CPUINFO) -> int:
    """Eight bits that are the low ones of no CPU's APIC id, and do not stand for all of them. Raises :class:`CannotRun`."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        text = ""
    taken = {int(number) & 0xFF for number in re.findall(r"^(?:initial )?apicid\s*:\s*(\d+)", text, re.M)}
    for candidate in range(0xFE, 0, -1):
        if candidate not in taken:
            return candidate
    raise CannotRun(
        "this machine has CPUs with every APIC id, so no address for messages of MSI-X is without a meaning"
    )


class Messages(MappedVectors):
    """The vectors of one device, in use: which event has which, and which messages came.

    The configuration gets vector 0, each queue one of its own as far as there are such, and the last is shared. It is the
    interrupt line that goes with it, too; ``present`` is False since nobody asserts a line.
    """

    present: bool = False

    def __init__(
        self,
        function: Function,
        table: VectorTable,
        registers: CommonRegisters,
        *,
        way: Way | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Nothing is done yet. ``way`` None: events where the bus has such, messages into memory otherwise."""
        super().__init__(function, registers, min(table.count, MOST))
        #: How long a message may be on its way (s) after what it tells of can be seen: a flush waits for that.
        self.lag = 0.0
        self._recorder = recorder
        self.table = table
        self._asked = way
        self._go(way or Way.MEMORY)
        self._lines: Sequence[InterruptLine] = ()
        self._box: Dma | None = None
        self._before: list[Vector] = []
        self._control = 0
        self._seen: list[Message] = []
        #: Messages so far, of those that did not merge.
        self._total = 0

    @classmethod
    def of(
        cls,
        function: Function,
        capabilities: list[Capability],
        transport: Transport,
        *,
        way: Way | None = None,
        recorder: Recorder | None = None,
    ) -> Messages:
        """Those of a device. Raises :class:`CannotRun` where it has no MSI-X, or is driven by its legacy interface."""
        if not isinstance(transport, ModernTransport):
            raise CannotRun(f"{function.locator}: MSI-X is not used through a device's legacy interface; use INTx")
        table = VectorTable.of(function.config, function.bar, capabilities, recorder)
        if table is None:
            raise CannotRun(f"{function.locator} has no MSI-X")
        if table.control & MsixControl.ENABLE:
            raise CannotRun(f"{function.locator}: MSI-X is in use already")
        return cls(function, table, transport.registers, way=way, recorder=recorder)

    def _go(self, way: Way) -> None:
        self.way = way
        #: For people.
        self.description = f"MSI-X, {way.value}"

    # -- beginning and end -------------------------------------------------------------------------------------

    def map_config(self) -> None:
        """See :class:`MappedVectors`: what has come so far is of no event any more."""
        self.drop()
        super().map_config()

    def begin(self) -> None:
        """Set the vectors up, keeping what they were, and turn MSI-X on. Raises :class:`CannotRun`."""
        table = self.table
        kernels = self._function.surroundings.kernel_vectors
        if kernels and self._asked not in (None, Way.EVENTS):
            raise CannotRun(
                f"{self._function.locator}: the kernel has the table of MSI-X, so there are {Way.EVENTS.value} and no {self._asked}"
            )
        self._control = table.control
        self._lines = self._function.open_vectors(self.size, events=self._asked in (None, Way.EVENTS))
        if self._asked is None and self._lines:
            self._go(Way.EVENTS)
        elif self._asked is Way.EVENTS and not self._lines:
            raise CannotRun(f"{self._function.locator}: this bus delivers no MSI-X vectors as events")
        if self._lines:
            self.size = min(self.size, len(self._lines))
        self._counts = [line.count() for line in self._lines]
        if kernels:
            if not self._lines:
                raise CannotRun(f"{self._function.locator}: the kernel gives none of its MSI-X vectors")
            return
        self._before = [table.vector(number) for number in range(self.size)]
        where = destination() << 12
        self._box = self._function.dma.allocate(max(_PAGE, _BOX * self.size), _MIB, where)
        self._words = self._box.memory.cast("I")
        self._nothing = memoryview(bytes(_BOX * self.size))
        masked = int(self.way is Way.PENDING)
        table.switch(True, masked=True)
        for number in range(self.size):
            table.put(number, Vector(self._box.address + _BOX * number, self.data(number), masked))
        table.switch(True)

    def end(self) -> None:
        """Turn MSI-X off and put the vectors back. The device has been reset before."""
        if self._box is None:
            self._function.close_vectors()
            return
        self.table.switch(True, masked=True)
        for number, vector in enumerate(self._before):
            self.table.put(number, vector)
        self.table.control = self._control
        self._function.close_vectors()
        self._words.release()
        self._box.free()
        self._box = None

    @staticmethod
    def data(vector: int) -> int:
        """What the message of a vector writes."""
        return (_OURS | vector) << 16

    # -- looking -----------------------------------------------------------------------------------------------

    def take(self, *, flush: bool = True) -> list[Message]:
        """The messages that came since the last time. Several of one vector may have merged into one.

        With ``flush`` a register is read first, which no message that was sent before may overtake: so reading ISR does by itself.
        Where another process sends the messages it may: then ``lag`` has to pass as well.
        """
        if flush:
            self._registers.get("num_queues")
            if self.lag:
                self._function.clock.sleep(self.lag)
        found = self._seen + self._look()
        self._seen = []
        self._total += len(found)
        if self._recorder is not None:
            for message in found:
                self._recorder.add(message)
        return found

    def drop(self) -> None:
        """Forget what has come so far."""
        self._seen = []
        self._look()

    def _look(self) -> list[Message]:
        if self.way is Way.EVENTS:
            return self._take_events()
        if self.way is Way.PENDING:
            return self._take_pending()
        return self._take_boxes()

    def _message(self, vector: int, data: int = 0, times: int = 0) -> Message:
        return Message(self._function.clock.now(), vector, self.way.value, data, times)

    def _take_events(self) -> list[Message]:
        found = []
        for vector, line in enumerate(self._lines):
            before = self._counts[vector]
            if (now := line.count()) != before:
                self._counts[vector] = now
                found.append(self._message(vector, times=now - before))
        return found

    def _take_boxes(self) -> list[Message]:
        assert self._box is not None, "looks are taken between beginning and end"
        # One comparison of all of them costs less than a look at each.
        if self._box.memory[: self._nothing.nbytes] == self._nothing:
            return []
        words, step, found = self._words, _BOX // 4, []
        for vector in range(self.size):
            if data := words[step * vector]:
                words[step * vector] = 0
                found.append(self._message(vector, data))
        return found

    def _take_pending(self) -> list[Message]:
        """Unmask what is pending, which takes its bit back and sends its message, and mask it again."""
        found = [vector for vector in self.table.pending() if vector < self.size]
        for vector in found:
            self.table.mask(vector, False)
            self.table.mask(vector, True)
        return [self._message(vector) for vector in found]

    def compare(self, seconds: float) -> Compared:
        """After a request to a device whose vectors are masked: which ways show it, within so many seconds.

        It does what :meth:`take` does, so the same request can be seen once.
        """
        clock = self._function.clock
        pending = bool(poll(lambda: bool(self.table.pending()), YES, clock, seconds).outcome)
        for vector in range(self.size):
            self.table.mask(vector, False)
        memory = bool(poll(lambda: bool(self._take_boxes()), YES, clock, seconds if pending else _NAP).outcome)
        for vector in range(self.size):
            self.table.mask(vector, True)
        return Compared(pending, memory, not self.table.pending())

    # -- as a line ---------------------------------------------------------------------------------------------

    def enable(self) -> None:
        """Nothing masks a message by itself."""

    def wait(self, seconds: float) -> bool:
        """Until a message comes, or for so long (s). It stays to be taken."""

        def come() -> bool:
            self._seen += self._look()
            return bool(self._seen)

        return bool(poll(come, YES, self._function.clock, seconds, ceiling=_NAP, spin=1).outcome)

    def count(self) -> int:
        """Messages that were taken so far; several may have merged into one."""
        return self._total
