"""What the device must leave alone while it is suspended: notifications (V3) and queues (V4)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.status import describe

from ..judging.history import Window
from ..judging.observation import Observation, broken, kept, moot
from ..judging.suspends import Suspend, suspends
from ..wording import times
from . import judges
from .common import nothing_waiting, silent_isr, touched, unsettled

__all__: list[str] = []


@judges("V3")
def quiet_queues(window: Window) -> Iterator[Observation]:
    """With requests in flight and buffers waiting, ISR bit 0 stays flat from the first "done" read on."""
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif not window.setting.unmoved:
            yield _quiet(window, suspend)
        else:
            yield moot(window.setting.unmoved)


def _quiet(window: Window, suspend: Suspend) -> Observation:
    control, span = window.control, suspend.isr_span
    if control is not None and control.sticky:
        return moot(silent_isr(window))
    if span is None:
        return moot(suspend.unread)
    since, after = span
    evidence = {**suspend.evidence(), "control": control.to_json() if control is not None else None}
    shown = describe(suspend.transition.status)
    settled = suspend.look("settled")
    delivered = after.interrupts - settled.interrupts if settled is not None else 0
    if bits := after.queue_bits - since.queue_bits:
        return broken(
            "a used buffer notification was sent while suspended", "ISR bit 0 stays 0",
            f"ISR bit 0 was set {times(bits)} after the status had shown {shown}; interrupts delivered: {delivered}",
            **evidence,
        )  # fmt: skip
    if why := unsettled(window, suspend):
        return moot(why)
    if bits := after.both_bits - since.both_bits:
        return broken(
            "a notification was sent while suspended", "ISR stays 0",
            f"ISR showed both bits {times(bits)} after the status had shown {shown}: which of the two notifications "
            "it was cannot be told, and neither may be sent (see V6)", **evidence,
        )  # fmt: skip
    if why := suspend.unread or silent_isr(window):
        return moot(why)
    if suspend.waiting <= 0:
        return moot(nothing_waiting("notify"))
    if not suspend.watched_for(window.setting.hold):
        return moot(f"ISR bit 0 stayed 0, and was watched for {suspend.watched:.3g} s only")
    return kept(
        f"ISR bit 0 stayed 0 for {window.setting.hold:g} s with {suspend.waiting} buffers waiting",
        remarks=_remarks(suspend, delivered), **evidence,
    )  # fmt: skip


def _remarks(suspend: Suspend, delivered: int) -> tuple[str, ...]:
    remarks = []
    for fired in suspend.fired:
        if fired.name == "send_traffic":
            told = f"send_traffic could not be had: {fired.trouble}"
            remarks.append(told if fired.trouble else "the host side sent traffic to the device while it was suspended")
    if delivered:
        remarks.append(f"interrupts delivered all the same: {delivered}; ISR says that they were not this device's")
    return tuple(remarks)


_STILL = "used rings, descriptors and buffers stay as they were at the first read that showed the device suspended"


@judges("V4")
def untouched_queues(window: Window) -> Iterator[Observation]:
    """With requests in flight and buffers waiting, rings and buffers stay as they are; also after a kick, at once or later."""
    for suspend in suspends(window, "D4"):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif not window.setting.unmoved:
            yield _untouched(window, suspend)
        else:
            yield moot(window.setting.unmoved)


def _untouched(window: Window, suspend: Suspend) -> Observation:
    evidence = suspend.evidence()
    prodded = sorted({index for prod in suspend.prods for index in prod.queues})
    if (did := touched(suspend)) is not None:
        how = "used buffers" if did.moved else "wrote to memory"
        observed = did.what
        if prodded and (suspend.prods[0].soon or did.at > suspend.prods[0].time):
            soon = " at once after the status had shown it suspended" if suspend.prods[0].soon else ""
            observed += f", after a kick of queue {', '.join(map(str, prodded))}{soon}"
        return broken(f"the device {how} while it said that it was suspended", _STILL, observed, **evidence)
    if why := unsettled(window, suspend):
        return moot(why)
    if suspend.waiting <= 0:
        return moot(nothing_waiting("touch"))
    if not prodded or suspend.prods[0].soon or not suspend.watched_for(window.setting.hold):
        return moot("rings and buffers stayed as they were, and no kick was tried after a while")
    return kept(
        f"rings and buffers stayed unchanged with {suspend.waiting} buffers waiting, also after a kick",
        remarks=("silent reads of a queue show only on a device that records what it does",), **evidence,
    )  # fmt: skip
