"""What a check works on and with: the device, its traffic, the host's triggers, what was seen so far, and the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from uvirtio.access.trace import Event, Recorder
from uvirtio.access.wait import YES, poll
from uvirtio.bus import Triggers
from uvirtio.device import Device
from uvirtio.queue.observed import Observed
from uvirtio.spec.dialects import Dialect
from uvirtio.spec.features import Features
from uvirtio.suspend import Suspender, Transition
from uvirtio_drivers.workload import Driver, Workload

from ..judging.looks import Look
from ..judging.outcomes import Control, Overdue

if TYPE_CHECKING:
    from .same import Portrait

__all__ = ["Stage"]

#: A check ends after this many timeouts at the latest.
PATIENCE = 8


class Stage:
    """The state of a run, and the time that the check under way has left. All waits are bounded by ``timeout`` (s).

    ``hold``: seconds that a device is watched while suspended. ``workload`` is None where there is no driver.
    """

    def __init__(
        self,
        device: Device,
        dialect: Dialect,
        driver_class: type[Driver] | None,
        *,
        timeout: float = 10.0,
        hold: float = 0.2,
        without: Features | None = None,
        triggers: Triggers | None = None,
        cycles: int = 0,
        seed: int = 0,
        options: dict[str, object] | None = None,
        provoke: bool = True,
    ) -> None:
        assert device.recorder is not None, "a bench needs a device that records"
        self.device = device
        self.dialect = dialect
        self.driver_class = driver_class
        self.timeout = timeout
        self.hold_time = hold
        self.without = without or Features()
        self.triggers = triggers if triggers is not None else device.function.triggers
        self.cycles = cycles
        self.seed = seed
        #: Whether the device may be given a buffer at an address where no memory should be.
        self.provoke = provoke
        #: What the driver's workload is asked for.
        self.options = options or {}
        self.recorder: Recorder = device.recorder
        self.clock = device.clock
        self.suspender = Suspender(device, dialect, timeout)
        self.driver: Driver | None = None
        self.workload: Workload | None = None
        self.queues: dict[int, Observed] = {}
        self.control: Control | None = None
        self.transitions: list[Transition] = []
        #: The specified byte does not resume this device, 0x0f does.
        self.falls_back = False
        #: The device as it was before the run.
        self.portrait: Portrait | None = None
        #: All records of the run, check by check, for the judgement of the driver's own duties.
        self.history: list[Event] = []
        #: Checks in a row that found the device unable to do ordinary work.
        self.not_working = 0
        #: Statements that this check saw broken, its own or others: id -> what was seen.
        self.seen_broken: dict[str, str] = {}
        #: The look at the first "done" read, while the device is suspended.
        self._asleep: Look | None = None
        #: What a check has to undo on the host side.
        self.cleanups: list[Callable[[], None]] = []
        self._failures: dict[str, list[Transition]] = {"suspend": [], "resume": []}
        self._position = self.recorder.mark("bench")
        self._deadline = float("inf")

    def begin_check(self) -> None:
        """The check's time starts."""
        self._deadline = self.clock.now() + PATIENCE * self.timeout + 20 * self.hold_time
        self._position = self.recorder.mark("check")
        self.seen_broken = {}

    def records(self) -> list[Event]:
        """What this check did so far."""
        return self.recorder.since(self._position)

    def limit(self) -> float:
        """How long the next wait may last. Raises :class:`Overdue` when the check has used up its time."""
        left = self._deadline - self.clock.now()
        if left <= 0:
            raise Overdue(f"the check did not end within {PATIENCE} times {self.timeout:g} s")
        return min(self.timeout, left)

    def more_time(self, seconds: float) -> None:
        """This check may take so much longer."""
        self._deadline += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.limit()
        self.clock.sleep(seconds)

    @property
    def moment(self) -> float:
        """A short while (s), for what only has to be given some time."""
        return min(self.hold_time, 0.05)

    @property
    def linger(self) -> float:
        """How long to look for a suspend that should not come (s): longer than any that was seen."""
        slowest = max((t.seconds for t in self.transitions if t.done and t.kind == "suspend"), default=0.0)
        return max(self.moment, 1.5 * slowest)

    def await_config_bit(self, since: int, timeout: float | None = None) -> bool:
        """Wait until ISR bit 1 was seen more than ``since`` times; False when that does not happen in time."""
        notifications = self.device.notifications

        def told() -> bool:
            notifications.collect()
            return notifications.config > since

        limit = min(timeout or self.timeout, self.limit())
        return bool(poll(told, YES, self.clock, limit, sleep=notifications.wait, ceiling=0.05, spin=1).outcome)
