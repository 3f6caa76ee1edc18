"""Reset of a suspended device (V15), the notification of its failure (V14), and status writes of the RFC (R5)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.status import Status, describe

from ..judging import names
from ..judging.events import Listened, Looked, Read, Trouble
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.observation import Evidence, Observation, broken, kept, moot, noted
from ..judging.suspends import suspends
from . import judges
from .common import milliseconds, numbers, seconds_of, values

__all__: list[str] = []

_RESET = "status 0, queue_enable 0, no activity, and then a device that can be initialised and moves data"


@judges("V15")
def resets_while_suspended(window: Window) -> Iterator[Observation]:
    """0 is written to a suspended device with buffers waiting: status and queues are reset, nothing moves, and it starts anew."""
    if "V15" not in window.shows:
        return
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
            continue
        evidence = suspend.evidence()
        if stuck := numbers(window, names.NO_RESET):
            yield broken(
                f"not reset within {window.setting.timeout:g} s",
                _RESET,
                f"status {describe(stuck[0])}",
                **evidence,
            )
        elif (seconds := seconds_of(window, names.RESET)) is not None:
            yield _reset(window, seconds, evidence)


def _reset(window: Window, seconds: float, evidence: Evidence) -> Observation:
    looks = {event.name: event.look for event in window.of(Looked)}
    asleep, after = looks.get("before the reset"), looks.get("after the reset")
    if asleep is None or after is None:
        return moot("nobody looked at the device both before its reset and after it")
    evidence |= {"reset_seconds": seconds, "last": asleep.to_json(), "after": after.to_json()}
    observed = [
        f"queue {event.what.removeprefix(names.ENABLED)}: queue_enable still reads 1"
        for event in window.of(Read)
        if event.what.startswith(names.ENABLED) and event.value == "1"
    ]
    observed += moved_indices(asleep, after)
    observed += [f"{name} changed over the reset" for name in changed(asleep, after)]
    if after.queue_bits > asleep.queue_bits or after.config_bits > asleep.config_bits:
        bits = f" ({after.isr:#x})" if after.isr else ""
        observed.append(f"ISR showed bits after the reset{bits}")
    if observed:
        return broken("the reset of a suspended device is incomplete", _RESET, "; ".join(observed), **evidence)
    return _starts_anew(window, seconds, evidence)


def _starts_anew(window: Window, seconds: float, evidence: Evidence) -> Observation:
    left = values(window, names.DRIVER_FEATURE)
    remarks = (f"driver_feature reads {left[0]} after the reset",) if left and set(left[0]) - set("0x") else ()
    for trouble in window.of(Trouble):
        if trouble.doing != names.AGAIN:
            continue
        if trouble.kind == "NegotiationFailed":
            words = "the same features do not negotiate again after the reset"
            return noted(words, _RESET, trouble.text, remarks=remarks, **evidence)
        return broken("the device does not work after the reset", _RESET, trouble.text, **evidence)
    accepted = values(window, names.ACCEPTED)
    if len(accepted) < 2:
        return moot("the device was not initialised again after its reset")
    if accepted[0] != accepted[1]:
        return noted(
            "other features than before were negotiated after the reset", accepted[0], accepted[1], remarks=remarks,
            **evidence,
        )  # fmt: skip
    return kept(
        f"reset in {milliseconds(seconds)}, initialised again with the same features, data moves",
        remarks=remarks, **evidence,
    )  # fmt: skip


@judges("V14")
def tells_of_failure(window: Window) -> Iterator[Observation]:
    """Where a suspend, a resume or a buffer at an impossible address makes it fail: ISR bit 1 follows, if DRIVER_OK was set."""
    shown, provoked = numbers(window, names.NEEDS_RESET), values(window, names.HOW)
    if not shown or not provoked:
        return
    status, how, timeout = shown[0], provoked[0], window.setting.timeout
    evidence: Evidence = {"status": f"{status:#04x}", "provoked_by": how}
    if not status & Status.DRIVER_OK:
        yield moot(
            f"{how}; the status that first showed it ({describe(status)}) has DRIVER_OK=0, so no notification was owed"
        )
    for heard in window.of(Listened):
        if heard.about != names.TOLD:
            continue
        if heard.shown:
            yield kept(f"{how}: status {describe(status)}, and ISR bit 1 came", **evidence)
        else:
            yield broken(
                "DEVICE_NEEDS_RESET was set without a configuration change notification",
                f"ISR bit 1 within {timeout:g} s",
                f"{how}: status {describe(status)}, ISR bit 1 not within {timeout:g} s", **evidence,
            )  # fmt: skip


@judges("R5")
def takes_status_writes(window: Window) -> Iterator[Observation]:
    """While suspended FAILED is written and reads back, and 0 resets."""
    if not (read := numbers(window, names.WRITTEN_ASLEEP)):
        return
    status = read[0]
    observed = [] if status & Status.FAILED else [f"FAILED was written, status reads {describe(status)}"]
    observed += [f"0 was written, status reads {describe(late)}" for late in numbers(window, names.NO_RESET)]
    if observed:
        yield broken(
            "status writes are not taken while suspended", "FAILED reads back, and 0 resets", "; ".join(observed)
        )
    else:
        yield kept(f"FAILED read back ({describe(status)}), and 0 reset the device")
