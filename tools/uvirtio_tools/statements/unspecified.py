"""What virtio 1.4 leaves unspecified: reported as INFO (I1 to I8)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.access.trace import Access
from uvirtio.spec.status import Status, describe
from uvirtio.suspend import Transition

from ..judging import names
from ..judging.events import Traffic, Transitioned, Trouble
from ..judging.history import Window
from ..judging.latency import Latency
from ..judging.observation import Observation, moot, told
from ..judging.suspends import suspends
from . import judges, register_factory
from .common import dialect_of, milliseconds, numbers, seconds_of, values

__all__: list[str] = []


def _moves(window: Window) -> str:
    """Whether traffic works after something odd, in words."""
    for trouble in window.of(Trouble):
        if trouble.doing == names.ODD:
            return f"data does not move: {trouble.text}"
    if any(traffic.doing == names.ODD for traffic in window.of(Traffic)):
        return "data moves"
    return "there is no driver to move data with"


def _poked(window: Window, when: str) -> int | None:
    return next(iter(numbers(window, names.POKED + when)), None)


@judges("I1")
def not_negotiated(window: Window) -> Iterator[Observation]:
    """SUSPEND on a running device that was not given the feature."""
    if (status := _poked(window, "without the feature")) is not None:
        yield told(f"status reads {describe(status)}; {_moves(window)}")


@judges("I2")
def suspended_twice(window: Window) -> Iterator[Observation]:
    """SUSPEND once more while suspended, without DRIVER_OK in the byte; then the usual resume."""
    written, read = numbers(window, names.SECOND), numbers(window, names.SECOND_STATUS)
    if not written or not read:
        return
    byte, status = written[0], read[0]
    if dialect_of(window).is_running(status):
        yield told(f"{byte:#04x} resumed the device: status {describe(status)}")
        return
    for suspend in suspends(window, "D7"):
        if suspend.running and suspend.resume is not None:
            resume = suspend.fallback or suspend.resume
            yield told(
                f"after {byte:#04x} the status reads {describe(status)}; resumed in {milliseconds(resume.seconds)}",
                resume=resume.to_json(),
            )


@judges("I3")
def suspended_from_the_start(window: Window) -> Iterator[Observation]:
    """DRIVER_OK and SUSPEND set by one write, the first of either."""
    if (status := _poked(window, "with the first DRIVER_OK")) is None:
        return
    if dialect_of(window).is_suspended(status):
        yield told(f"suspended at once: status {describe(status)}")
    else:
        yield told(f"status reads {describe(status)}; {_moves(window)}")


@judges("I4")
def failed_while_suspended(window: Window) -> Iterator[Observation]:
    """FAILED while suspended; then reset."""
    if read := numbers(window, names.WRITTEN_ASLEEP):
        yield told(f"status reads {describe(read[0])}")


@judges("I5")
def needs_a_kick(window: Window) -> Iterator[Observation]:
    """Buffers are left waiting over a suspend; after resume, without a notification, they are served or not."""
    if "I5" not in window.shows:
        return
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
            continue
        if not suspend.waiting:
            yield moot("no buffer was left waiting over the suspend")
            continue
        for left in numbers(window, names.LEFT):
            yield told(_left(window, left, suspend.waiting))


def _left(window: Window, left: int, waiting: int) -> str:
    if not left:
        return f"all {waiting} waiting buffers were served without a new notification"
    if window.of(Trouble):
        return (
            f"{left} of {waiting} waiting buffers were not served after resume, not even after a notification: "
            f"{window.of(Trouble)[-1].text}"
        )
    return f"{left} of {waiting} waiting buffers were served only after a new notification"


class HowLong:
    """I6: the latencies of all suspends and resumes so far."""

    def __init__(self) -> None:
        self._transitions: list[Transition] = []

    def __call__(self, window: Window) -> Iterator[Observation]:
        """What is known after this window."""
        fresh = [event.transition for event in window.of(Transitioned)]
        self._transitions += fresh
        parts = []
        for kind in ("suspend", "resume") if fresh else ():
            latency = Latency.of(t for t in self._transitions if t.kind == kind)
            if latency.count:
                low, middle, _, high = latency.quartet
                times = "once" if latency.count == 1 else f"{latency.count} times"
                parts.append(f"{kind} {low * 1e3:.3f} to {high * 1e3:.3f} ms, median {middle * 1e3:.3f} ms ({times})")
        if parts:
            yield told("; ".join(parts))
        elif fresh:
            yield moot("no suspend came about in this run")


class OnTheWay:
    """I7: every value of the status between a SUSPEND write and "suspended", and between the resume write and "running"."""

    def __init__(self) -> None:
        self._seen: dict[str, set[int]] = {"suspend": set(), "resume": set()}
        self._way = ""

    def __call__(self, window: Window) -> Iterator[Observation]:
        """What is known after this window."""
        asked = False
        for event in window.events:
            if isinstance(event, Access) and event.name == "device_status" and not event.deviation:
                asked |= self._follow(window, event)
        if asked:
            words = [
                f"{kind}: {', '.join(describe(value) for value in sorted(seen)) or 'nothing in between'}"
                for kind, seen in self._seen.items()
            ]
            yield told("; ".join(words))

    def _follow(self, window: Window, event: Access) -> bool:
        """Take one access of the status; whether it asks for a suspend."""
        if event.kind == "write":
            if event.value == 0:
                self._way = ""
            elif self._way == "suspended":
                self._way = "resume"
            else:
                self._way = "suspend" if event.value & Status.SUSPEND else ""
            return self._way == "suspend"
        if self._way in self._seen:
            dialect = dialect_of(window)
            done = dialect.is_suspended if self._way == "suspend" else dialect.is_running
            if done(event.value):
                self._way = "suspended" if self._way == "suspend" else ""
            else:
                self._seen[self._way].add(event.value)
        return False


register_factory("I6", HowLong)
register_factory("I7", OnTheWay)


@judges("I8")
def queue_reset_while_suspended(window: Window) -> Iterator[Observation]:
    """queue_reset of the first queue while suspended."""
    left, enabled = values(window, names.IN_RESET), values(window, names.ENABLE)
    seconds, status = seconds_of(window, names.RESETTING), numbers(window, names.THEN)
    if not left or not enabled or seconds is None or not status:
        return
    ended = "queue_reset still reads 1" if left == ["1"] else f"queue_reset reads 0 after {milliseconds(seconds)}"
    yield told(f"{ended}, queue_enable reads {enabled[0]}, status {describe(status[0])}")
