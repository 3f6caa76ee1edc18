"""What the device should have done before it presents itself as suspended (V10, V11, V12; R7 of the RFC)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.registers import IsrBit

from ..judging import names
from ..judging.history import Window
from ..judging.looks import changed, moved_indices, used_between
from ..judging.observation import Observation, broken, kept, moot
from ..judging.suspends import ALL_ONES, Suspend, suspends
from . import judges
from .common import came_back, nothing_waiting, silent_isr, touched, unsettled, values

__all__: list[str] = []

_INSTANT = "nothing was in flight at the SUSPEND write: the device answers within the notification, or was faster than the SUSPEND write"


def _moved(suspend: Suspend) -> str:
    """Used indices that moved while the device was suspended."""
    return "; ".join(next(filter(None, (moved_indices(before, after) for before, after, _ in suspend.steps())), []))


def _also_v4(moved: str) -> dict[str, str]:
    return {"V4": f"{moved} while suspended"}


def _gone_on(summary: str, expected: str, moved: str, suspend: Suspend) -> Observation:
    return broken(summary, expected, moved, also=_also_v4(moved), **suspend.evidence())


@judges("V10")
def stops_consuming(window: Window) -> Iterator[Observation]:
    """Buffers that the device was not told of before SUSPEND are not used by the first "done" read; none is later."""
    expected = "no more buffers are consumed once SUSPEND is set"
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif moved := _moved(suspend):
            yield _gone_on(
                "buffers were consumed after the status had shown the device suspended", expected, moved, suspend
            )
        elif why := unsettled(window, suspend):
            yield moot(why)
        elif quiet := values(window, names.QUIET):
            yield _unnotified(suspend, quiet == ["1"], expected)
        elif window.setting.unmoved:
            yield moot(window.setting.unmoved)


def _unnotified(suspend: Suspend, quiet: bool, expected: str) -> Observation:
    evidence = {**suspend.evidence(), "waits_for_notifications": quiet}
    if suspend.finished and quiet:
        return broken(
            f"{suspend.finished} buffers that nobody had notified were consumed between the SUSPEND write and "
            f"{suspend.transition.status:#04x}", expected,
            f"{suspend.finished} of {suspend.owed} used at the first read that showed the device suspended", **evidence,
        )  # fmt: skip
    if suspend.waiting <= 0:
        return moot(
            "the device takes buffers without a notification, and had used all of them by the time it was suspended"
        )
    return kept(f"{suspend.waiting} buffers were left waiting, and stayed so", **evidence)


def _notified_at_the_write(window: Window) -> Iterator[Suspend]:
    """Suspends with requests that were notified right before the write."""
    if "V11" in window.shows:
        yield from suspends(window)


@judges("V11")
def finishes_first(window: Window) -> Iterator[Observation]:
    """Each request in flight at the write is used at the first "done" read, or untouched until resume; all come back."""
    expected = "each request in process is used before the status shows the device suspended"
    for suspend in suspends(window):
        if suspend.shown and (moved := _moved(suspend)):
            yield _gone_on(
                "requests were finished after the status had shown the device suspended", expected, moved, suspend
            )
    for suspend in _notified_at_the_write(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif not suspend.in_flight:
            yield moot(_INSTANT)
        elif not _moved(suspend):
            yield _finished(window, suspend, expected)


def _finished(window: Window, suspend: Suspend, expected: str) -> Observation:
    evidence = suspend.evidence()
    if why := unsettled(window, suspend):
        return moot(why)
    left = suspend.reaped.left if suspend.reaped is not None else ()
    if suspend.before is not None and suspend.later:
        begun = [name for name in changed(suspend.before, suspend.later[-1], buffers_only=True) if name in left]
        if begun:
            return broken(
                "requests were begun and left half done", expected,
                f"not used, but written to: {', '.join(begun)}", **evidence,
            )  # fmt: skip
    if suspend.troubles:
        return broken(
            "requests in flight at the suspend were lost, doubled or damaged",
            expected,
            suspend.troubles[0].text,
            **evidence,
        )
    if not came_back(suspend):
        return moot("the device did not resume, so whether the requests come back cannot be told")
    return kept(
        f"of {suspend.owed} requests that were notified right before the write {suspend.finished} were finished first and "
        f"{suspend.waiting} left untouched", **evidence,
    )  # fmt: skip


@judges("V12")
def notifies_first(window: Window) -> Iterator[Observation]:
    """What is used between the last ISR read and "done" shows as ISR bit 0 at the first "done" read."""
    for suspend in _notified_at_the_write(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif not suspend.in_flight:
            yield moot(_INSTANT)
        else:
            yield _notified(window, suspend)


_UNFINISHED = "no request was finished between the SUSPEND write and the first read that showed the device suspended"


def _notified(window: Window, suspend: Suspend) -> Observation:
    if why := silent_isr(window):
        return moot(why)
    before, done = suspend.before, suspend.done
    if before is None or done is None:
        return moot(_UNFINISHED)
    finished = used_between(before.states, done.states)
    if not finished:
        return moot(_UNFINISHED)
    if done.isr is None:
        return moot(ALL_ONES)
    if done.isr == IsrBit.QUEUE | IsrBit.CONFIG:
        return moot("ISR showed both bits at once, and a configuration change may set bit 0 as well")
    if not before.reaped:
        return moot(
            "the device was finishing requests all the time up to the SUSPEND write, so what it owed is not known"
        )
    evidence = {**suspend.evidence(), "used_meanwhile": finished}
    settled = suspend.look("settled") if suspend.by_messages else None
    if settled is not None and not done.isr & IsrBit.QUEUE and settled.queue_bits > done.queue_bits:
        return moot(
            "a message came a moment after the status had shown the device suspended, and may have been on its way"
        )
    if not done.isr & IsrBit.QUEUE:
        became, also = _what_became_of_it(window, suspend)
        return broken(
            "used buffers were not notified before the status showed the device suspended", "ISR bit 0 is set by then",
            f"{finished} buffers were used since ISR was read last, and ISR reads {done.isr:#x}; {became}", also=also, **evidence,
        )  # fmt: skip
    if used_between(before.states, suspend.states) or not used_between(suspend.states, done.states):
        return moot(_UNFINISHED)  # that bit may be of buffers used before the write, or no buffer was used after it
    return kept(f"{finished} buffers were used meanwhile, and ISR bit 0 was set by then", **evidence)


def _what_became_of_it(window: Window, suspend: Suspend) -> tuple[str, dict[str, str]]:
    """Whether a notification that is late comes while suspended (V3), after resume (well), or never (V9)."""
    done = suspend.done
    assert done is not None, "it is known what it showed"
    for look in suspend.later:
        if look.queue_bits + look.both_bits > done.queue_bits + done.both_bits:
            return (
                "it was set later, while suspended",
                {"V3": "ISR bit 0 was set while suspended, for buffers that were used before"},
            )
    for heard in suspend.listened("used"):
        if heard.about != names.AROUND:
            continue
        if heard.shown:
            return "it was set after resume", {}
        if not heard.expected:
            return "and whether that was made good cannot be told, since more requests were waiting", {}
        lost = (
            f"{heard.expected} buffers were used around a suspend, and notified neither before the device showed itself "
            f"suspended nor within {heard.limit:g} s of its resume (2.7.7.2)"
        )
        hold = window.setting.hold
        return (
            f"it stayed 0 for {hold:g} s of the hold and as long after resume: the notification is lost",
            {"V9": lost},
        )
    return "what became of it was not seen", {}


@judges("R7")
def stops_returns_and_keeps(window: Window) -> Iterator[Observation]:
    """The RFC's version of V10, V11 and V5 in one: nothing is consumed after SUSPEND shows, the configuration is kept."""
    expected = "nothing is consumed or returned once SUSPEND shows, and the configuration stays as it was"
    for suspend in suspends(window):
        if not suspend.shown or window.setting.unmoved:
            yield moot(suspend.why_not(window.setting.timeout) or window.setting.unmoved)
            continue
        yield _stopped_and_kept(window, suspend, expected)


def _stopped_and_kept(window: Window, suspend: Suspend, expected: str) -> Observation:
    evidence = suspend.evidence()
    if (did := touched(suspend)) is not None:
        how = "buffers were used" if did.moved else "memory was written to"
        return broken(f"{how} after SUSPEND had shown", expected, did.what, **evidence)
    if why := unsettled(window, suspend):
        return moot(why)
    config, asleep = values(window, names.CONFIGURATION_BEFORE), values(window, names.CONFIGURATION_ASLEEP)
    if config and asleep and config[0] != asleep[0] and set(asleep[0]) != {"f"}:
        return broken("the configuration changed over a suspend", expected, f"{config[0]} -> {asleep[0]}", **evidence)
    if suspend.troubles:
        return broken("requests were lost, doubled or damaged", expected, suspend.troubles[0].text, **evidence)
    if suspend.waiting <= 0:
        return moot(nothing_waiting("consume"))
    if not came_back(suspend) or not asleep:
        return moot("the device was not resumed, so whether the requests come back cannot be told")
    return kept(
        f"{suspend.finished} buffers were returned first, {suspend.waiting} left waiting and served after resume",
        **evidence,
    )
