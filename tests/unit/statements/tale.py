"""Histories written by hand: what is done to a device and seen of it, step by step. No device is there, and none is emulated.

A step adds the events that the recorder and a scenario would have added. What the device answers is that of a conforming one
unless the test says otherwise beforehand: ``tale.answers(suspend=0x4f)``, ``tale.isr(1)``, ``tale.uses(2)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from uvirtio.access.clock import SimulatedClock
from uvirtio.queue import QueueState
from uvirtio.spec.dialects import DIALECTS, Dialect
from uvirtio.spec.registers import COMMON
from uvirtio.spec.status import GONE, Status
from uvirtio.suspend import Outcome, Transition
from uvirtio_tools.judging import names
from uvirtio_tools.judging.events import (
    Drained,
    Ended,
    Fired,
    Listened,
    Loaded,
    Looked,
    Portrayed,
    Prodded,
    Read,
    Reaped,
    Started,
    Traffic,
    Transitioned,
    Trouble,
)
from uvirtio_tools.judging.history import History, Setting, Window
from uvirtio_tools.judging.looks import Look

__all__ = ["HOLD", "SETTLE", "SIZE", "TIMEOUT", "Over", "Tale", "Twist", "nothing"]

#: Seconds: the limit of a wait, how long a suspend is watched, what a device gets to settle.
TIMEOUT, HOLD, SETTLE = 10.0, 0.2, 0.005
#: Of the one queue.
SIZE = 64


class Over(Exception):
    """The scenario ends here."""


class Tale:
    """One device's history. ``status`` is what the register reads, ``written`` what the driver wrote there last."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.history = History(self.clock)
        self.windows: list[Window] = []
        #: Whether a notification arrives a moment after the status has shown the device suspended.
        self.late = False
        self.history.listeners.append(self.windows.append)
        self.history.setting = Setting(2, "blk", "1.4", TIMEOUT, HOLD, "INTx (by hand)", True, "", 64)
        self.status = self.written = 0
        self.packed = False
        #: Buffers of queue 0 since the last reset: made available, used, reaped.
        self.available = self.used = self.reaped = 0
        self.answering: tuple[int, ...] = (0,)
        #: What has been written where, counted.
        self._contents: dict[str, int] = {}
        #: What the next read of ISR shows; None: all-ones. ``sticky``: reading does not clear it.
        self._isr: int | None = 0
        self.sticky = False
        self._seen = {"used": 0, "config": 0, "both": 0}
        self._interrupts = 0
        #: What the next suspends and resumes end with, instead of what a conforming device shows.
        self._answers: dict[str, list[int]] = {"suspend": [], "resume": [], "fallback": []}
        #: What is read under a name instead of the usual, one after the other; None: it is not read.
        self.instead: dict[str, list[str | None]] = {}
        #: Waits in which nothing was heard, by name, or by kind and name (``line: a request after the resume``).
        self.unheard: set[str] = set()
        #: Looks that were not taken.
        self.overlooked: set[str] = set()

    # -- what goes for the whole run -----------------------------------------------------------------------------------

    @property
    def setting(self) -> Setting:
        """What goes for the whole run."""
        return self.history.setting

    @property
    def dialect(self) -> Dialect:
        """As it is spoken here."""
        return DIALECTS[self.setting.dialect]

    def speaks(self, dialect: str) -> Tale:
        """Another dialect than that of virtio 1.4; returns itself."""
        self.history.setting = self.setting._replace(dialect=dialect)
        return self

    def without_driver(self) -> Tale:
        """For a device that nobody knows how to move data with; returns itself."""
        self.history.setting = self.setting._replace(
            type_name="type 42", unmoved="no driver for device type type 42, so nothing can be moved"
        )
        return self

    def without_configuration(self) -> Tale:
        """For a device that has none of its own; returns itself."""
        self.history.setting = self.setting._replace(config_length=0)
        return self

    # -- scenarios -----------------------------------------------------------------------------------------------------

    @contextmanager
    def scenario(self, name: str, *shows: str) -> Iterator[None]:
        """A scenario, from reset to reset."""
        self.history.open(name, shows)
        with suppress(Over):
            yield
        self.resets()
        self.history.close()

    def goes_on(self, name: str | None = None, shows: tuple[str, ...] | None = None) -> None:
        """In another window."""
        self.history.go_on(name, shows)

    def ends(self, how: str, text: str) -> None:
        """Before its end."""
        self.history.add(Ended(self.clock.now(), how, text))
        raise Over

    def gives_up(self) -> None:
        """The scenario ends here, with nothing more to be said."""
        raise Over

    def rests(self, seconds: float = HOLD) -> None:
        """Time passes."""
        self.clock.sleep(seconds)

    # -- what the device does ------------------------------------------------------------------------------------------

    def uses(self, count: int = 1, *, notified: bool = True) -> None:
        """It uses buffers that are available."""
        count = min(count, self.available - self.used)
        if count <= 0:
            return
        for token in range(self.used, self.used + count):
            self.scribbles(f"queue 0 buffer {token}")
        self.used += count
        self.scribbles("queue 0 rings")
        if notified:
            self.isr(1)

    def scribbles(self, where: str) -> None:
        """It writes to memory."""
        self._contents[where] = self._contents.get(where, 0) + 1

    def isr(self, bits: int | None) -> None:
        """It sets bits in ISR; None: from now on ISR reads all-ones."""
        self._isr = bits if bits is None else (self._isr or 0) | bits

    def answers(self, *, suspend: int | None = None, resume: int | None = None, fallback: int | None = None) -> None:
        """What the status will read in the end of the next wait of this kind."""
        for kind, status in (("suspend", suspend), ("resume", resume), ("fallback", fallback)):
            if status is not None:
                self._answers[kind].append(status)

    def shows(self, status: int) -> None:
        """The status reads so from now on."""
        self.status = status

    # -- registers -----------------------------------------------------------------------------------------------------

    def register(self, kind: str, name: str, value: int) -> None:
        """An access to the common configuration."""
        register = COMMON[name]
        self.history.access(kind, "common", name, register.offset, register.width, value)

    def reads_status(self, value: int | None = None) -> None:
        """Once."""
        self.register("read", "device_status", self.status if value is None else value)

    def writes_status(self, value: int, deviation: str = "") -> None:
        """Once; ``deviation``: the duty that this breaks on purpose."""
        with self.deviating(deviation):
            self.register("write", "device_status", value)
        self.written = value

    def reads_isr(self) -> int | None:
        """Once: the bits, None for all-ones."""
        bits = self._isr
        self.history.access("read", "isr", "isr_status", 0, 1, GONE if bits is None else bits)
        if bits is None:
            return None
        if bits & 2:
            self._seen["config"] += 1
            self._seen["both"] += bits & 1
        else:
            self._seen["used"] += bits & 1
        if not self.sticky:
            self._isr = 0
        return bits

    def notifies(self, queue: int = 0, deviation: str = "") -> None:
        """The driver notifies a queue."""
        with self.deviating(deviation):
            self.history.access("write", "notify", "+0x0", 0, 2, queue)

    def publishes(self, count: int = 1, deviation: str = "") -> None:
        """The driver makes buffers available."""
        with self.deviating(deviation):
            self.history.published(0, "avail.idx", (self.available + count) & 0xFFFF)
        self.available += count

    def writes_configuration(self, offset: int = 0x20, deviation: str = "") -> None:
        """The driver writes the device configuration."""
        with self.deviating(deviation):
            self.history.access("write", "config", f"+{offset:#x}", offset, 1, 1)

    @contextmanager
    def deviating(self, duty: str) -> Iterator[None]:
        """Tag what happens inside; not at all without a duty."""
        if not duty:
            yield
            return
        with self.history.deviating(duty, "on purpose"):
            yield

    # -- a life --------------------------------------------------------------------------------------------------------

    def resets(self) -> None:
        """0 is written, and read."""
        self.status = 0
        self.writes_status(0)
        self.reads_status()
        self.available = self.used = self.reaped = 0
        self._contents.clear()
        if not self.sticky:
            self._isr = 0 if self._isr is not None else None

    def negotiates(self, feature: int | None = None) -> None:
        """From reset to FEATURES_OK; 0 for ``feature``: without that of SUSPEND."""
        for value in (1, 3):
            self.steps_to(value)
        self.accepts(feature)

    def accepts(self, feature: int | None = None) -> None:
        """From DRIVER to FEATURES_OK."""
        feature = self.dialect.feature if feature is None else feature
        self.register("write", "driver_feature_select", 1)
        self.register("write", "driver_feature", 1 | (1 << feature - 32 if feature else 0))
        self.steps_to(0x0B)
        self.reads_status()

    def steps_to(self, status: int) -> None:
        """A step of the initialisation."""
        self.status = status
        self.writes_status(status)

    def started(self, feature: int | None = None, *, reset: bool = True) -> None:
        """The device is brought up from reset to DRIVER_OK."""
        if reset:
            self.resets()
        self.negotiates(feature)
        self.steps_to(0x0F)
        self.reads_status()
        driver = not self.setting.unmoved
        queues = {0: SIZE} if driver else {}
        feature = self.dialect.feature if feature is None else feature
        accepted = 1 << 32 | (1 << feature if feature else 0)
        self.history.add(Started(self.clock.now(), accepted, queues, driver))

    def control(self, *, used: bool = True, config: bool = False) -> None:
        """Traffic on the running device shows what can be seen."""
        if not self.setting.unmoved:
            self.traffic(names.CONTROL, used=used, config=config)

    def traffic(
        self, doing: str = names.AFTER, count: int = 8, *, used: bool = True, config: bool = False, proves: str = ""
    ) -> None:
        """Requests go through the device."""
        self.publishes(count)
        self.notifies()
        self.drains(doing, proves=proves)
        self.rests(SETTLE)
        self.history.add(Traffic(self.clock.now(), doing, count, used, config, self.sticky))

    def loads(self, count: int = 16, *, notified: int | None = None) -> None:
        """Requests are made available; so many of them are notified, by default half."""
        notified = count // 2 if notified is None else notified
        if notified:
            self.publishes(notified)
            self.notifies()
        self.publishes(count - notified)
        self.history.add(Loaded(self.clock.now(), count, notified, self.available - self.reaped))

    def drains(self, doing: str = names.OUTSTANDING, *, proves: str = "") -> None:
        """What is outstanding comes back."""
        count = self.available - self.reaped
        self.uses(count)
        self.rests(1e-3)
        self.reads_isr()
        self.reaped = self.used
        self.history.add(Drained(self.clock.now(), doing, count, proves or "every request came back exactly once"))

    def reaps(self) -> None:
        """What is used is taken."""
        taken, self.reaped = self.used - self.reaped, self.used
        self.scribbles("queue 0 rings")
        left = tuple(f"queue 0 buffer {token}" for token in range(self.used, self.available))
        self.history.add(Reaped(self.clock.now(), taken, self.available - self.used, left))

    def hears(self, what: str, about: str, expected: int = 1, limit: float = TIMEOUT) -> None:
        """A notification is waited for."""
        shown = not self.unheard & {about, f"{what}: {about}"}
        self.history.add(Listened(self.clock.now(), what, about, expected, shown, limit))

    def goes_wrong(self, doing: str, text: str, kind: str = "WorkloadFailed", rule: str = "") -> None:
        """A driver or a workload finds something wrong."""
        self.history.add(Trouble(self.clock.now(), doing, kind, text, rule))

    def reads(self, what: str, value: object) -> None:
        """Something that statements rest on."""
        instead = self.instead.get(what)
        text = instead.pop(0) if instead else str(value)
        if text is not None:
            self.history.add(Read(self.clock.now(), what, text))

    def fires(self, name: str, trouble: str = "") -> None:
        """The host side is asked for something."""
        self.history.add(Fired(self.clock.now(), name, trouble))

    def prods(self, *, soon: bool = False) -> None:
        """A suspended device is notified, on purpose."""
        self.notifies(deviation="D4")
        self.history.add(Prodded(self.clock.now(), (0,), soon))

    def portrays(self, which: str, config: str = "00ff", **lasting: str) -> None:
        """The device as it is in reset."""
        usual = {"identity": "1af4:1042", "offered features": "43, 32", "BARs": "0xfe000000"}
        self.history.add(Portrayed(self.clock.now(), which, usual | lasting, config))

    # -- looks ---------------------------------------------------------------------------------------------------------

    def state(self) -> QueueState:
        """Of queue 0."""
        return QueueState(
            0, "packed" if self.packed else "split", SIZE, self._index(self.available), self._index(self.used),
            self._index(self.reaped), self.available - self.reaped, 0, SIZE - self.available + self.reaped, False, False, {},
        )  # fmt: skip

    def _index(self, count: int) -> int:
        if not self.packed:
            return count & 0xFFFF
        return count % SIZE | (not count // SIZE % 2) << 15

    def states(self) -> dict[int, QueueState]:
        """Of all queues."""
        return {0: self.state()} if not self.setting.unmoved else {}

    def looks(self, name: str, *, status: bool = True) -> None:
        """At rings, buffers and ISR, and at the status unless not."""
        if name in self.overlooked:
            return
        bits = self.reads_isr()
        memory: dict[str, str] = {}
        if not self.setting.unmoved:
            where = ["queue 0 rings", *(f"queue 0 buffer {token}" for token in range(self.reaped, self.available))]
            memory = {name: f"{self._contents.get(name, 0):016x}" for name in where}
        if status:
            self.reads_status()
        states = self.states()
        look = Look(
            self.clock.now(), {index: state.device_index for index, state in states.items()}, bits, self._seen["used"],
            self._seen["config"], self._seen["both"], memory, self._interrupts, states, self.status if status else None,
        )  # fmt: skip
        self.history.add(Looked(self.clock.now(), name, look))

    def interrupts(self, count: int = 1) -> None:
        """Some are delivered."""
        self._interrupts += count

    def holds(self, seconds: float = HOLD, name: str = "held") -> None:
        """The device is left suspended for a while, and then looked at."""
        self.rests(seconds)
        self.looks(name)

    # -- suspends and resumes ------------------------------------------------------------------------------------------

    def suspends(
        self,
        *,
        kick: bool = False,
        using: int = 0,
        prod: bool = False,
        asked: Twist | None = None,
        kicked: Twist | None = None,
    ) -> None:
        """SUSPEND is written, and what comes of it.

        ``kick``: what is published is notified right before, and then happens ``kicked``. ``using``: so many buffers are used,
        and notified, between the write and the first read that shows it suspended; ``asked``: what happens then instead.
        Where it does not suspend the scenario is over.
        """
        self.looks("before", status=False)
        if kick:
            self.notifies()
            (kicked or nothing)(self)
        owed, states = self.available - self.reaped, self.states()
        before = self.written
        self.writes_status(self.dialect.suspend_write(self.written))
        self.reads_status()
        shown = self._answer("suspend", self.dialect.expected)
        if asked is not None:
            asked(self)
        else:
            self.uses(using)
        transition = self._waits("suspend", before, self.dialect.is_suspended, shown, 1e-4)
        self.history.add(Transitioned(self.clock.now(), transition, owed, states, self.answering))
        self.looks("done", status=False)
        if transition.done and prod:
            self.prods(soon=True)
        self._ends_with(transition)
        self.rests(SETTLE)
        if self.late:
            self.isr(1)
        self.looks("settled", status=False)

    def resumes(self, *, kick: bool = True, fallback: bool = True) -> None:
        """DRIVER_OK is written, and what comes of it; where it does not resume the scenario is over."""
        self.looks("last")
        before = self.status
        self.reads_status()
        deviation = "" if self.dialect.resume_sets_driver_ok else "D7"
        self.writes_status(self.dialect.resume_write(self.written), deviation)
        shown = self._answer("resume", 0x0F)
        transition = self._waits("resume", before, self.dialect.is_running, shown, 2e-4)
        self._tells(transition)
        if transition.outcome is Outcome.TIMED_OUT and self.dialect.fallback and fallback:
            transition = self.falls_back(before)
        self._ends_with(transition)
        if kick and self.available != self.reaped:
            self.notifies()

    def falls_back(self, before: int) -> Transition:
        """0x0f is written, which clears SUSPEND."""
        self.writes_status(self.written & ~Status.SUSPEND, "D7")
        shown = self._answer("fallback", self.status)
        transition = self._waits("resume", before, self.dialect.is_running, shown, 2e-4)
        self._tells(transition)
        return transition

    def _answer(self, kind: str, usual: int) -> int:
        waiting = self._answers[kind]
        return waiting.pop(0) if waiting else usual

    def _waits(self, kind: str, before: int, done: Callable[[int], bool], shown: int, seconds: float) -> Transition:
        outcome = Outcome.TIMED_OUT
        if shown == GONE:
            outcome = Outcome.GONE
        elif shown & Status.DEVICE_NEEDS_RESET:
            outcome = Outcome.REFUSED
        elif done(shown):
            outcome = Outcome.DONE
        seconds = TIMEOUT if outcome is Outcome.TIMED_OUT else seconds
        self.rests(seconds)
        self.status = shown
        self.reads_status()
        written = self.written
        if outcome is Outcome.DONE and kind == "resume":
            self.written &= ~Status.SUSPEND
        return Transition(kind, self.dialect.name, outcome, before, (written,), shown, seconds, seconds / 2, 2)

    def _tells(self, transition: Transition) -> None:
        self.history.add(Transitioned(self.clock.now(), transition, 0, {}, ()))

    def _ends_with(self, transition: Transition) -> None:
        if transition.outcome is Outcome.GONE:
            self.ends("gone", f"the device went away: during {transition.kind}")
        elif transition.outcome is Outcome.REFUSED:
            self.ends("refused", f"the device refused to {transition.kind}, which it may")
        elif transition.outcome is Outcome.TIMED_OUT:
            self.ends(f"not {transition.kind}ed", f"the device did not {transition.kind} within {TIMEOUT:g} s")


#: What a test lets happen at a moment of a scenario.
Twist = Callable[[Tale], object]


def nothing(tale: Tale) -> None:
    """What happens at a moment of which a test says nothing."""
