"""The driver's own duties (D1 to D7, R1, R2), judged from what it did: register accesses, publishes, notifications.

What was done in deliberate deviation is tagged in the history and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from uvirtio.access.trace import Access, Published
from uvirtio.spec.dialects import V1_4, Dialect
from uvirtio.spec.registers import COMMON
from uvirtio.spec.status import Status, describe

from ..judging.events import HistoryEvent
from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot
from ..wording import times
from . import judges

__all__ = ["Duties"]

_STATUS = COMMON["device_status"].name
_RUNNING, _ASKED, _ASLEEP, _WAKING = "running", "asked to suspend", "suspended", "asked to resume"


@dataclass(slots=True)
class Duties:
    """Follows a driver through its records and notes where it broke a duty.

    ``broken``: duty -> what was seen. ``suspends``, ``resumes``, ``publishes``, ``notifications`` and ``writes``
    (of the configuration) count the occasions on which it could have.
    """

    dialect: Dialect
    broken: dict[str, list[str]] = field(default_factory=dict)
    suspends: int = 0
    resumes: int = 0
    publishes: int = 0
    notifications: int = 0
    writes: int = 0
    status_writes: int = 0
    _status: int = 0
    _written: int = 0
    _phase: str = _RUNNING
    _verified: bool = False
    _select: int = 0
    #: driver_feature as it was written last, by driver_feature_select.
    _accepted: dict[int, int] = field(default_factory=dict)
    #: Bits that a deviation has set: that they are not set again is no clearing.
    _odd: int = 0

    def follow(self, records: Iterable[HistoryEvent]) -> Duties:
        """Judge records, in order; returns itself."""
        for record in records:
            if isinstance(record, Published):
                self.publishes += 1
                self._operation(record, "D3", f"buffers were made available on queue {record.queue}")
            elif not isinstance(record, Access):
                continue
            elif record.kind == "write" and record.space == "notify":
                self.notifications += 1
                self._operation(record, "D4", f"queue {record.value & 0xFFFF} was notified")
            elif record.kind == "write" and record.space == "config":
                self.writes += 1
                self._operation(record, "D5", f"configuration byte {record.offset:#x} was written")
            elif record.kind == "write" and record.name == "driver_feature_select":
                self._select = record.value
            elif record.kind == "write" and record.name == "driver_feature":
                self._accepted[self._select] = record.value
            elif record.name == _STATUS and record.kind == "write":
                self._write(record)
            elif record.name == _STATUS and record.kind == "read":
                self._read(record.value)
        return self

    def _note(self, duty: str, record: Access | Published, what: str) -> None:
        if not record.deviation:
            self.broken.setdefault(duty, []).append(f"at {record.time:.6f} s, {self._phase}: {what}")

    def _operation(self, record: Access | Published, duty: str, what: str) -> None:
        if self._phase in (_ASKED, _ASLEEP):
            self._note(duty, record, what)
        elif self._phase == _WAKING:
            self._note("D6", record, f"{what} before the status had shown the device running")

    def _write(self, record: Access) -> None:
        value, before = record.value, self._status
        self.status_writes += 1
        if value == 0:
            self._phase, self._status, self._written, self._odd = _RUNNING, 0, 0, 0
            self._accepted.clear()
            return
        # What a device sets or clears by itself is not the driver's doing.
        cleared = self._written & before & ~value & ~self._odd
        self._written = value
        if record.deviation:
            self._odd |= value & ~before
        if cleared:
            self._note("D7", record, f"{value:#04x} was written where the status was {describe(before)}")
        suspend = value & Status.SUSPEND and not before & Status.SUSPEND
        if suspend and self._phase == _RUNNING:
            self._asks_to_suspend(record, before)
        elif self._phase in (_ASKED, _ASLEEP) and self._is_resume(value):
            if not self._verified:
                self._note("D2", record, "the device was resumed before its status had shown it suspended")
                self._note("R2", record, "the device was resumed before its status had shown SUSPEND")
            self.resumes += 1
            self._phase = _WAKING
        self._status = value

    def _asks_to_suspend(self, record: Access, before: int) -> None:
        if record.deviation:
            return  # an odd suspend of a check: what follows is not the driver's ordinary life
        if not before & Status.DRIVER_OK:
            self._note("D1", record, f"SUSPEND was set without DRIVER_OK: status was {describe(before)}")
        word, bit = divmod(self.dialect.feature, 32)
        if not self._accepted.get(word, 0) >> bit & 1:
            self._note("D1", record, f"SUSPEND was set without feature {self.dialect.feature}")
        if not before & Status.FEATURES_OK:
            self._note("R1", record, f"SUSPEND was set without FEATURES_OK: status was {describe(before)}")
        self.suspends += 1
        self._phase, self._verified = _ASKED, False

    def _is_resume(self, value: int) -> bool:
        if not self.dialect.resume_sets_driver_ok or not value & Status.SUSPEND:
            return not value & Status.SUSPEND
        return bool(value & Status.DRIVER_OK)

    def _read(self, value: int) -> None:
        if value == 0xFF:
            return
        if value & Status.DEVICE_NEEDS_RESET:
            self._verified = True
        elif self._phase == _ASKED and self.dialect.is_suspended(value):
            self._phase, self._verified = _ASLEEP, True
        elif self._phase == _WAKING and self.dialect.is_running(value):
            self._phase = _RUNNING
        self._status = value


_OCCASIONS = {
    "D1": ("suspends", "{} suspends, each with DRIVER_OK set and the feature negotiated"),
    "D2": ("suspends", "{} suspends, none resumed before the status had been read as suspended"),
    "D3": ("publishes", "{} publishes of buffers, none while suspended"),
    "D4": ("notifications", "{} notifications, none while suspended"),
    "D5": ("suspends", "{} suspends, no configuration write in any of them"),
    "D6": ("resumes", "{} resumes, nothing was done before the status had been read as running"),
    "D7": ("status_writes", "{} status writes, none cleared a bit other than by reset"),
    "R1": ("suspends", "{} suspends, each with FEATURES_OK set"),
    "R2": ("suspends", "{} suspends, none resumed before the status had been read with SUSPEND set"),
}


_DUTIES = "duties"


def _follow(window: Window) -> tuple[Duties, dict[str, list[str]]]:
    """The driver as it has been followed up to the end of this window, and what it has broken in it."""
    found: tuple[Duties, dict[str, list[str]]] | None = window.answers.get(_DUTIES)
    if found is None:
        duties = window.memory.setdefault(_DUTIES, Duties(window.setting.speaks or V1_4))
        before = {id_: len(seen) for id_, seen in duties.broken.items()}
        duties.follow(window.events)
        fresh = {id_: seen[before.get(id_, 0) :] for id_, seen in duties.broken.items()}
        found = window.answers[_DUTIES] = duties, fresh
    return found


def _register(id_: str) -> None:
    @judges(id_)
    def duty(window: Window) -> Iterator[Observation]:
        duties, fresh = _follow(window)
        if broke := fresh.get(id_):
            yield broken(f"broken {times(len(broke))} by this driver", "the duty is kept", broke[0], all=broke[:10])
        name, sentence = _OCCASIONS[id_]
        occasions = getattr(duties, name)
        if occasions and duties.suspends:
            yield kept(sentence.format(occasions))
        else:
            yield moot("there was no occasion to break it")


for _id in _OCCASIONS:
    _register(_id)
