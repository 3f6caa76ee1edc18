"""One event of the host, with the device under load: what was out before it, and what becomes of that. It speaks no verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uvirtio.access.wait import YES, poll
from uvirtio.errors import CannotRun, ConfigurationUnstable, DeviceError, DeviceGone, DeviceMisbehaved, DeviceTimeout
from uvirtio.pci.header import read_identity
from uvirtio.pci.msix import VectorTable
from uvirtio.queue import Queue, QueueState
from uvirtio.spec.pci import Command, Header
from uvirtio.spec.status import GONE

from ..driving.notified import NOTIFICATION_TIME, SETTLE, isr_count
from ..judging import names
from ..judging.ends import Skip
from ..judging.events import Happened, Left, Portrayed, Stood
from ..judging.looks import read_configuration
from ..judging.stage import Stage
from .identity import bars

__all__ = ["FULL", "IDLE", "LOADS", "TOLD", "Book", "Ordeal"]

#: What is out at an event: buffers in every state; used ones alone, whose notification nobody has looked at; nothing.
FULL, TOLD, IDLE = "full", "told", "idle"
LOADS = (IDLE, TOLD, FULL)
#: What a device breaks that is not to be resumed after an event.
_NO_RESUME = "resume"
#: Requests after an event that show whether the device goes on.
_FRESH = 2
#: The bits of the command register that are the driver's alone.
_DRIVERS = Command.IO | Command.MEMORY | Command.BUS_MASTER


class Book:
    """Which buffers are out, by queue and token: of those notified before an event, those not, and those made since."""

    def __init__(self, queues: dict[int, Queue]) -> None:
        self._queues = queues
        #: In the order of publishing.
        self._order: dict[int, list[int]] = {index: [] for index in queues}
        self._notified: set[tuple[int, int]] = set()
        self._waiting: set[tuple[int, int]] = set()
        self._fresh: set[tuple[int, int]] = set()

    def _tokens(self) -> Iterator[tuple[int, int]]:
        for index, queue in self._queues.items():
            yield from ((index, token) for token in queue.tokens())

    def enter(self, *, notified: bool) -> None:
        """What is out and not entered yet is notified, or is not."""
        for index, token in self._tokens():
            if (index, token) not in self._notified | self._waiting:
                self._order[index].append(token)
                (self._notified if notified else self._waiting).add((index, token))

    def forget_order(self) -> None:
        """What is notified may be taken back by the driver at any time: the device owes it nothing any more."""
        self._waiting |= self._notified
        self._notified.clear()

    def enter_fresh(self) -> None:
        """What is out and not entered yet is fresh."""
        self._fresh |= set(self._tokens()) - self._notified - self._waiting

    def look(self) -> int:
        """Cross out what has come back; how many that were."""
        out, count = set(self._tokens()), 0
        for each in (self._notified, self._waiting, self._fresh):
            count += len(each - out)
            each &= out
        return count

    @property
    def notified(self) -> int:
        """Those that the device owes without being told again."""
        return len(self._notified)

    @property
    def out(self) -> int:
        """All."""
        return len(self._notified) + len(self._waiting) + len(self._fresh)

    def left(self, time: float, when: str, returned: int) -> Left:
        """As an event."""
        overtaken = 0
        for index, order in self._order.items():
            out = [(index, token) in self._notified | self._waiting for token in order]
            last = max((at for at, each in enumerate(out) if not each), default=-1)
            overtaken += sum(out[: last + 1])
        return Left(time, when, len(self._notified), len(self._waiting), len(self._fresh), overtaken, returned)


class Ordeal:
    """One event: :meth:`prepare`, then :meth:`strike` or :meth:`notice`, then :meth:`aftermath`.

    ``load``: one of :data:`LOADS`. ``asleep``: the device is suspended before, and resumed after. ``lines``: whether an interrupt
    was seen to arrive on this device.
    """

    def __init__(self, stage: Stage, load: str, *, asleep: bool = False, lines: bool = False) -> None:
        self._stage = stage
        self._load = load
        self._asleep = asleep
        self._lines = lines
        answering = {index: stage.device.queues[index] for index in stage.traffic.answering}
        self._book = Book(answering)
        self._bits = self._config = 0
        self._name = "an event of the host"
        self._before = Stood(0.0, "", 0, {}, {})
        self._told: dict[int, int] = {}

    # -- before ------------------------------------------------------------------------------------------------

    def prepare(self, wait: float = 0.0) -> None:
        """Load the device and look at it; ``wait``: how long what was notified last is left alone (s)."""
        stage = self._stage
        told = stage.device.notifications
        self._portray(names.BEFORE_EVENT)
        told.collect()
        self._bits, self._config = isr_count(stage.device), told.config
        if self._load != IDLE:
            self._fill(wait)
        if self._asleep:
            stage.sleeper.suspend(kick=True, insist=True)
            self._book.look()
            self._book.forget_order()
        self._before = self._stood(names.BEFORE_EVENT)

    def _fill(self, wait: float) -> None:
        stage, book = self._stage, self._book
        workload = stage.traffic.need()
        part = max(1, (workload.room - _FRESH) // (3 if self._load == FULL else 2))
        self._request(part)
        # Once they are used nobody takes them: their notification is due at the event.
        poll(lambda: self._used(all_=self._load == TOLD), YES, stage.device.clock, NOTIFICATION_TIME)
        if self._load == TOLD:
            book.enter(notified=True)
            stage.device.clock.sleep(SETTLE)
            return
        self._request(part)
        book.enter(notified=True)
        self._told = {
            index: state.driver_index for index, state in self._states().items() if index in stage.traffic.answering
        }
        if wait:
            stage.device.clock.sleep(wait)
        workload.submit(max(1, min(part, workload.room - _FRESH)))
        book.enter(notified=False)

    def _request(self, count: int) -> None:
        workload = self._stage.traffic.need()
        workload.submit(count)
        workload.kick()

    def _states(self) -> dict[int, QueueState]:
        return {index: queue.state() for index, queue in self._stage.device.queues.items()}

    def _used(self, *, all_: bool) -> bool:
        answering = self._stage.traffic.answering
        states = [state for index, state in self._states().items() if index in answering and state.in_flight]
        if all_:
            return all(state.device_index == state.driver_index for state in states)
        return any(state.device_index != state.seen for state in states)

    def _stood(self, when: str) -> Stood:
        stage = self._stage
        states = self._states()
        owed = any(
            state.device_index != state.seen and not state.interrupts_suppressed
            for index, state in states.items()
            if index in stage.traffic.answering
        )
        status = stage.device.status.read()
        stood = Stood(stage.history.now(), when, status, states, self._told, owed and not self._asleep)
        stage.history.add(stood)
        return stood

    # -- the event ---------------------------------------------------------------------------------------------

    def strike(self, name: str, ask: Callable[[], object]) -> bool:
        """Have the host do it; whether it could be had."""
        history = self._stage.history
        self._name, began, trouble = name, history.now(), ""
        try:
            ask()
        except CannotRun as error:
            trouble = str(error)
        history.add(Happened(history.now(), name, True, history.now() - began, trouble))
        return not trouble

    def notice(self, name: str, seconds: float, how: str) -> None:
        """It was noticed."""
        self._name, history = name, self._stage.history
        history.add(Happened(history.now(), name, False, seconds, "", how))

    # -- after -------------------------------------------------------------------------------------------------

    def aftermath(self) -> bool:
        """See what becomes of everything; whether the device may go on. Raises :class:`DeviceGone`."""
        stage, book = self._stage, self._book
        after = self._stood(names.AFTER_EVENT)
        if after.status in (0, GONE) and stage.device.status.absent():
            raise DeviceGone(f"{stage.device.function.locator}: the device is gone after {self._name}")
        if after.status != self._before.status:
            return False
        try:
            if self._before.owed:
                self._pending()
            stage.history.add(book.left(stage.history.now(), names.AFTER_EVENT, 0))
            if self._asleep:
                stage.sleeper.hold(0.0, names.AFTER_EVENT)
                self._resume()
            self._portray(names.AFTER_EVENT)
            whole = self._settle()
            if whole:
                self._work()
        except DeviceGone:
            raise
        except DeviceError as error:
            stage.traffic.note(names.WORKING, error)
            self._stood(names.WRONG)
            return False
        return whole

    def _resume(self) -> None:
        try:
            self._stage.sleeper.resume(kick=True)
        except Skip as end:
            raise DeviceMisbehaved(str(end), rule=_NO_RESUME) from end

    def _pending(self) -> None:
        """The notification that was due at the event: it has come, or comes now."""
        device, bits = self._stage.device, self._bits

        def shown() -> bool:
            device.notifications.collect()
            return isr_count(device) > bits

        came = poll(shown, YES, device.clock, NOTIFICATION_TIME, ceiling=1e-3).outcome
        self._stage.traffic.heard("used", names.PENDING, 1, bool(came), NOTIFICATION_TIME)

    def _settle(self) -> bool:
        """Let everything come back: by itself, after a kick, after fresh requests, after a notification that was not wanted."""
        workload, book = self._stage.traffic.need(), self._book
        self._await(names.UNTOLD, lambda: not book.notified)
        if book.out:
            workload.kick()
            self._await(names.KICKED, lambda: not book.out)
        fresh = min(_FRESH, workload.room)
        if fresh:
            workload.submit(fresh)
            book.enter_fresh()
            workload.kick()
            self._await(names.FRESHLY, lambda: not book.out)
        if book.out:
            for index in self._stage.traffic.answering:
                self._stage.device.queues[index].kick()
            self._await(names.FORCED, lambda: not book.out)
        return not book.out

    def _await(self, when: str, enough: Callable[[], bool]) -> None:
        stage, book = self._stage, self._book
        workload, returned = stage.traffic.need(), 0

        def back() -> bool:
            nonlocal returned
            workload.reap()
            returned += book.look()
            return enough()

        try:
            stage.device.wait_for(back, stage.deadline.timeout, doing=when)
        except DeviceTimeout:
            pass  # what is left says so
        finally:
            stage.history.add(book.left(stage.history.now(), when, returned))

    def _work(self) -> None:
        """It works and notifies as before."""
        stage, traffic = self._stage, self._stage.traffic
        control = traffic.control
        if control is not None and control.used:
            traffic.notified(names.TOLD_AGAIN)
        if self._lines:
            traffic.interrupted(names.TOLD_AGAIN)
        traffic.run(names.WORKING)
        told = stage.device.notifications
        stage.read(names.CONTROL_BIT, int(told.config > self._config))

    # -- portraits ---------------------------------------------------------------------------------------------

    def _portray(self, which: str) -> None:
        """The device as it runs: what the driver has written there, and what must not change by itself."""
        stage, device = self._stage, self._stage.device
        config = device.function.config
        lasting = {
            "identity": str(read_identity(config, device.function.locator)),
            "BARs": bars(device),
            "command": f"{config.u16[Header.COMMAND // 2] & _DRIVERS:#x}",
            "offered features": f"{device.transport.device_features().mask:#x}",
            "number of queues": str(device.transport.queue_count()),
        }
        held = device.transport.set_up(device.queues)
        lasting |= {name: f"{value:#x}" for name, value in held.items()}
        table = VectorTable.of(config, device.function.bar, device.capabilities)
        if table is not None and device.messages is not None and not device.function.surroundings.kernel_vectors:
            entries = " ".join(f"{table.vector(number)}" for number in range(device.messages.size))
            lasting[names.MSIX] = f"{table.control:#x} {entries}"
        try:
            configuration = read_configuration(device).hex()
        except ConfigurationUnstable:
            configuration = ""
        stage.history.add(Portrayed(stage.history.now(), which, lasting, configuration))
