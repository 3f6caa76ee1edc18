"""Suspend and resume of a device (virtio 1.4, 3.4), in three dialects.

The driver writes a status byte once and then only reads: in virtio 1.4 suspending and resuming write the *same* byte
(0x0f -> 0x1f suspends, 0x1b -> 0x1f resumes), so a repeated write would turn a late suspend into a resume.
Every wait is bounded; a driver that gives up resets the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

from .access.wait import Polled
from .device import Device
from .errors import (
    DeviceDied,
    DeviceError,
    DeviceGone,
    DeviceNeedsReset,
    DeviceTimeout,
    DriverMisuse,
    NotOffered,
    UsageError,
)
from .queue import QueueState
from .spec.dialects import AUTO, CHROMIUM, DIALECTS, RFC, V1_4, Dialect
from .spec.features import Features
from .spec.ids import DeviceType
from .spec.status import Status, describe
from .status import DONE, REFUSED, Phase, status_table

__all__ = ["Outcome", "Suspender", "Transition", "choose_dialect"]

_INITIALISED = int(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)


@contextmanager
def _over(kind: str) -> Iterator[None]:
    """A device that dies in here dies over this."""
    try:
        yield
    except DeviceDied as error:
        error.over = kind
        raise


class Outcome(Enum):
    """How a suspend or resume ended."""

    DONE = "done"
    REFUSED = "refused: DEVICE_NEEDS_RESET"
    TIMED_OUT = "timed out"
    GONE = "gone"


class Transition(NamedTuple):
    """One suspend or resume as it was seen.

    ``seconds``: from the write to the end of the first read that showed the new state. ``after``: from the write to
    the last read that did not: the device's latency lies between the two. ``reads``: status reads after the write.
    """

    kind: str
    dialect: str
    outcome: Outcome
    status_before: int
    written: tuple[int, ...]
    status: int
    seconds: float
    after: float
    reads: int
    remarks: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the device reached the state that it was asked for."""
        return self.outcome is Outcome.DONE

    def to_json(self) -> dict[str, object]:
        """As a JSON object; bytes as hex strings, times in seconds."""
        return {
            "kind": self.kind,
            "outcome": self.outcome.name.lower(),
            "status_before": f"{self.status_before:#04x}",
            "written": [f"{value:#04x}" for value in self.written],
            "status": f"{self.status:#04x}",
            "status_names": describe(self.status),
            "seconds": self.seconds,
            "after": self.after,
            "reads": self.reads,
            "remarks": list(self.remarks),
        }


def choose_dialect(
    word: str, offered: Features, device_type: int, *, legacy: bool = False
) -> tuple[Dialect, list[str]]:
    """The dialect to use, and remarks. ``word``: a dialect's name or ``auto``, which goes by what is *offered*.

    ``auto`` never picks ``rfc``: bit 41 is ADMIN_VQ in virtio 1.4. Raises :class:`NotOffered` and :class:`UsageError`.
    """
    remarks: list[str] = []
    if V1_4.feature in offered and CHROMIUM.feature in offered:
        remarks.append("the device offers both bit 43 (SUSPEND of virtio 1.4) and bit 42 (the Chromium draft's)")
    if word != AUTO:
        if word not in DIALECTS:
            raise UsageError(f"there is no dialect {word!r}; choose {', '.join((AUTO, *DIALECTS))}")
        dialect = DIALECTS[word]
        if dialect.feature not in offered:
            raise NotOffered(
                _not_offered(f"SUSPEND in the {word} dialect (feature bit {dialect.feature})", offered, legacy)
            )
        return dialect, remarks
    if V1_4.feature in offered:
        return V1_4, remarks
    if CHROMIUM.feature in offered and not (legacy and device_type == DeviceType.NET):
        return CHROMIUM, remarks
    raise NotOffered(_not_offered("SUSPEND (feature bit 43, or 42 in the Chromium dialect)", offered, legacy))


def _not_offered(what: str, offered: Features, legacy: bool) -> str:
    text = f"the device does not offer {what}: it offers {offered}"
    if legacy:
        return f"{text}; legacy devices have only 32 feature bits, so use the modern interface"
    others = [dialect for dialect in (V1_4, CHROMIUM) if dialect.feature in offered]
    if others:
        return f"{text}; it offers bit {others[0].feature}: try --dialect {others[0].name}"
    if RFC.feature in offered:
        return (
            f"{text}. It does offer bit 41: ADMIN_VQ in virtio 1.4, SUSPEND in the RFC of August 2023; "
            "if this device follows the RFC, use --dialect rfc"
        )
    return text


class Suspender:
    """Suspends and resumes one device in one dialect, keeping the driver's duties D1 to D7.

    ``timeout`` in seconds bounds each way (and each of the two tries of a resume). The pieces (``begin_suspend``,
    ``await_suspended`` …) are for checks that look between them; :meth:`suspend` and :meth:`resume` are the whole.
    """

    def __init__(self, device: Device, dialect: Dialect, timeout: float = 10.0) -> None:
        self.device = device
        self.dialect = dialect
        self.timeout = timeout
        #: The last suspend or resume, however it ended.
        self.last: Transition | None = None
        #: State of every queue just before the last suspend.
        self.queues_before: dict[int, QueueState] = {}
        self._status_before = 0
        self._suspended_table = status_table(dialect.is_suspended)
        self._running_table = status_table(dialect.is_running)

    # -- suspend -----------------------------------------------------------------------------------------------

    def begin_suspend(self) -> int:
        """Gather queue state, hold the queues, and write SUSPEND once. Returns the byte written.

        Raises :class:`DriverMisuse` without DRIVER_OK or without the feature (D1).
        """
        device = self.device
        negotiated = device.negotiated
        if not device.deviations.allow("D1"):
            if negotiated is None or self.dialect.feature not in negotiated.accepted:
                raise DriverMisuse(
                    f"SUSPEND is not to be set: feature bit {self.dialect.feature} was not negotiated (D1; virtio 1.4, 3.4.1)"
                )
            if device.phase is not Phase.RUNNING:
                raise DriverMisuse(f"SUSPEND is not to be set: the device is {device.phase.value}, not running (D1)")
        self.queues_before = {index: queue.state() for index, queue in device.queues.items()}
        self._status_before = device.status.written
        byte = self.dialect.suspend_write(device.status.written)
        # Held first: nothing may be made available after the write, not even by a signal handler.
        device.hold("the device is suspended")
        with _over("suspend"):
            device.status.write(byte)
        return byte

    def await_suspended(self) -> Transition:
        """Re-read the status until the device shows that it is suspended (D2), within the timeout.

        Raises :class:`DeviceDied` alone.
        """
        return self._await("suspend", self._suspended_table, (self.device.status.written,))

    def suspend(self) -> Transition:
        """Suspend the device. Raises :class:`DeviceNeedsReset`, :class:`DeviceTimeout`, :class:`DeviceGone`.

        Whatever it raises, the device has been reset (if it still can be) and ``last`` holds what was seen, unless the
        device has died.
        """
        self.begin_suspend()
        return self._settle(self.await_suspended())

    # -- resume ------------------------------------------------------------------------------------------------

    def begin_resume(self) -> int:
        """Write the byte that resumes, once. Returns it."""
        device = self.device
        self._status_before = device.status.read()
        byte = self.dialect.resume_write(device.status.written)
        with _over("resume"):
            if self.dialect.resume_sets_driver_ok:
                device.status.write(byte)
            else:
                # The Chromium dialect resumes by clearing SUSPEND: the one lawful exception to D7.
                with device.deviating("D7", "the Chromium dialect resumes by clearing SUSPEND"):
                    device.status.write(byte)
        return byte

    def await_running(self, sleep: Callable[[float], object] | None = None) -> Transition:
        """Re-read the status until the device runs (D6), within the timeout. Raises :class:`DeviceDied` alone.

        ``sleep`` is called between reads that are some time apart, with seconds that may pass.
        """
        return self._await("resume", self._running_table, (self.device.status.written,), sleep)

    def resume(self, *, kick: bool = True) -> Transition:
        """Resume the device; then kick the queues that have outstanding buffers.

        When the specified byte has not worked within the timeout, 0x0f is tried, and the transition says so: a device
        that resumes only by that breaks the specification. Raises like :meth:`suspend`.
        """
        self.begin_resume()
        transition = self.await_running()
        if transition.outcome is Outcome.TIMED_OUT and self.dialect.fallback:
            transition = self._fall_back(transition)
        self._settle(transition)
        if kick:
            self.kick_outstanding()
        return transition

    def kick_outstanding(self) -> list[int]:
        """Notify every queue that has buffers outstanding; returns their indices."""
        kicked = [index for index, queue in self.device.queues.items() if queue.outstanding]
        for index in kicked:
            self.device.queues[index].kick()
        return kicked

    def _fall_back(self, first: Transition) -> Transition:
        byte = self.device.status.written & ~Status.SUSPEND
        with self.device.deviating("D7", f"{first.written[0]:#04x} did not resume the device; trying {byte:#04x}"):
            self.device.status.write(byte)
        second = self._await("resume", self._running_table, (*first.written, byte))
        if not second.done:
            return second
        remark = (
            f"writing {first.written[0]:#04x} did not resume the device within {self.timeout:g} s; "
            f"{byte:#04x}, which clears SUSPEND and which no driver may write, did"
        )
        return Transition(
            second.kind, second.dialect, second.outcome, first.status_before, second.written, second.status,
            first.seconds + second.seconds, first.seconds + second.after, first.reads + second.reads,
            (*second.remarks, remark),
        )  # fmt: skip

    # -- both --------------------------------------------------------------------------------------------------

    def _await(
        self, kind: str, table: bytes, written: tuple[int, ...], sleep: Callable[[float], object] | None = None
    ) -> Transition:
        started = self.device.clock.now()
        try:
            with _over(kind):
                polled = self.device.status.await_(table, self.timeout, sleep)
        except DeviceDied:
            raise
        except DeviceGone:
            passed = self.device.clock.now() - started
            transition = Transition(
                kind, self.dialect.name, Outcome.GONE, self._status_before, written, 0xFF, passed, passed, 0
            )
        else:
            transition = self._transition(kind, polled, written)
        self.last = transition
        if transition.done and kind == "resume":
            self.device.status.note_resumed()
            self.device.unhold()
        return transition

    def _transition(self, kind: str, polled: Polled, written: tuple[int, ...]) -> Transition:
        outcome = {DONE: Outcome.DONE, REFUSED: Outcome.REFUSED}.get(polled.outcome, Outcome.TIMED_OUT)
        remarks: list[str] = []
        if outcome is Outcome.DONE:
            expected = self.dialect.expected if kind == "suspend" else _INITIALISED | Status.DRIVER_OK
            if polled.value != expected:
                remarks.append(
                    f"status reads {describe(polled.value)}; {describe(expected)} is usual here, this is accepted"
                )
        return Transition(
            kind, self.dialect.name, outcome, self._status_before, written, polled.value,
            polled.seconds, polled.after, polled.reads, tuple(remarks),
        )  # fmt: skip

    def _settle(self, transition: Transition) -> Transition:
        """Return a transition that came about; otherwise reset the device and raise what happened."""
        if transition.done:
            return transition
        message = self.explain(transition)
        error: DeviceError
        if transition.outcome is Outcome.REFUSED:
            error = DeviceNeedsReset(message)
        elif transition.outcome is Outcome.GONE:
            error = DeviceGone(message)
        else:
            error = DeviceTimeout(message, value=transition.status, seconds=transition.seconds, reads=transition.reads)
        if transition.outcome is not Outcome.GONE:
            try:
                self.device.reset()
                error.args = (f"{message}. The device has been reset",)
            except DeviceError as failure:
                error.args = (f"{message}. Resetting it failed as well: {failure}",)
        raise error

    def explain(self, transition: Transition) -> str:
        """What is to be said of a transition that did not come about."""
        name = self.device.function.locator
        wrote = " then ".join(f"{value:#04x}" for value in transition.written)
        if transition.outcome is Outcome.GONE:
            return f"{name}: the device went away during {transition.kind}: status reads 0xff"
        if transition.outcome is Outcome.REFUSED:
            return (
                f"{name}: the device answered {transition.kind} with DEVICE_NEEDS_RESET after {transition.seconds:.3g} s: "
                f"status {describe(transition.status)} (wrote {wrote})"
            )
        wanted = "SUSPEND=1" if transition.kind == "suspend" else "DRIVER_OK=1 and SUSPEND=0"
        if transition.kind == "suspend" and self.dialect is V1_4:
            wanted += " and DRIVER_OK=0"
        elif transition.kind == "suspend" and self.dialect is CHROMIUM:
            wanted += " and DRIVER_OK=1"
        return (
            f"{name}: {transition.kind} not within {self.timeout:g} s ({transition.reads} reads): "
            f"status {describe(transition.status)}, expected {wanted} (wrote {wrote})"
        )
