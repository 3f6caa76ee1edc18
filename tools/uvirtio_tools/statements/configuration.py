"""The configuration of a suspended device: writes (V2), changes (V5), and their notification (V6, V7)."""

from __future__ import annotations

from collections.abc import Iterator

from ..judging import names
from ..judging.events import Listened
from ..judging.history import Window
from ..judging.observation import Evidence, Observation, broken, kept, moot, told
from ..judging.suspends import Suspend, suspends
from ..wording import times
from . import judges
from .common import numbers, unsettled, values

__all__: list[str] = []

#: A field of a device that does not answer.
_ALL_ONES = (0xFF, 0xFFFF, 0xFFFF_FFFF)
_NO_TRIGGER = "the host side cannot be asked to change the configuration here (no trigger)"


@judges("V2")
def ignores_configuration_writes(window: Window) -> Iterator[Observation]:
    """A field that takes a write while running keeps its value when it is written while suspended."""
    fields = values(window, names.FIELD)
    read = [numbers(window, what) for what in (names.VALUE, names.WRITTEN, names.ASLEEP)]
    if not fields or not all(read):
        return
    field, (before, written, meanwhile) = fields[0], (found[0] for found in read)
    evidence: Evidence = {"field": field, "before": before, "written": written, "suspended": meanwhile}
    stays = f"{field} stays {before:#x}"
    if meanwhile == written and meanwhile not in _ALL_ONES:
        yield broken(f"{field} took a write while suspended", stays, f"it reads {meanwhile:#x}", **evidence)
        return
    if not (later := numbers(window, names.AFTERWARDS)):
        return
    afterwards = evidence["resumed"] = later[0]
    if afterwards == written:
        yield broken(
            f"a write to {field} while suspended took effect on resume", stays, f"it reads {afterwards:#x}", **evidence
        )
    elif meanwhile not in (before, *_ALL_ONES) or afterwards != before:
        odd = afterwards if afterwards != before else meanwhile
        yield moot(f"{field} reads {odd:#x}, which is neither what stood there nor what was written")
    else:
        yield kept(f"{field} kept its value while suspended and after resume", **evidence)


@judges("V5")
def keeps_configuration(window: Window) -> Iterator[Observation]:
    """The fields read while suspended are those of a settled snapshot; then also after the host asked for a change."""
    if "V5" not in window.shows:
        return
    if not window.setting.config_length:
        yield moot("the device has no configuration of its own")
        return
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        else:
            yield _kept_configuration(window)


def _kept_configuration(window: Window) -> Observation:
    trigger = next(iter(values(window, names.TRIGGER)), "")
    settled, asleep = values(window, names.SETTLED), values(window, names.SUSPENDED)
    changed = values(window, names.CHANGED)
    if not settled:
        return moot("the configuration keeps changing while the device runs, so no snapshot of it is settled")
    before = settled[0]
    if unstable := values(window, names.UNSTABLE):
        return broken("the configuration changes while suspended", f"it stays {before}", unstable[0])
    if not asleep:
        return moot("the configuration was not read while the device was suspended")
    evidence: Evidence = {"before": before, "suspended": asleep[0], "trigger": trigger or None}
    if set(asleep[0]) == {"f"} and set(before) != {"f"}:
        return moot("the configuration reads all-ones while suspended")
    if asleep[0] != before:
        return broken(
            "configuration fields changed while suspended, and nobody had asked for it", f"they stay {before}",
            f"they read {asleep[0]}", **evidence,
        )  # fmt: skip
    if not trigger:
        return moot("the configuration stayed as it was, but nothing gave it a reason to change (no trigger)")
    if values(window, names.SHOWS) != ["1"]:
        return moot(f"{trigger} did not change the configuration of the running device, so nothing can be shown")
    if not changed:
        return moot("the host side did not change the configuration of the suspended device")
    evidence["after_trigger"] = changed[0]
    if changed[0] != before:
        return told(
            "a change that the host side was asked for showed while suspended: forbidden to the device here, and foreseen where "
            "its notification is spoken of", **evidence,
        )  # fmt: skip
    return kept("the fields stayed as they were, also when the host side was asked to change them", **evidence)


def _heard(window: Window, about: str) -> Listened | None:
    return next((event for event in window.of(Listened) if event.about == about), None)


def _not_proven(window: Window) -> str:
    """Why the absence of a configuration change notification says nothing; empty when it would."""
    trigger = values(window, names.TRIGGER)
    if not trigger or not trigger[0]:
        return _NO_TRIGGER
    control = _heard(window, names.CONTROL_BIT)
    if control is None or not control.shown:
        return f"{trigger[0]} did not set ISR bit 1 on the running device, so its absence would say nothing"
    return ""


@judges("V6")
def holds_notification_back(window: Window) -> Iterator[Observation]:
    """A change that is asked for while suspended does not set ISR bit 1 before DRIVER_OK is written."""
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        else:
            yield from _held_back(window, suspend)


def _held_back(window: Window, suspend: Suspend) -> Iterator[Observation]:
    if why := unsettled(window, suspend):
        yield moot(why)
        return
    if suspend.isr_span is None:
        yield moot(suspend.unread)
        return
    since, after = suspend.isr_span
    trigger = values(window, names.TRIGGER)
    evidence = {
        **suspend.evidence(),
        "after": after.to_json(),
        "trigger": trigger[0] if trigger and trigger[0] else None,
    }
    bits = after.config_bits - since.config_bits
    shown = f"{suspend.transition.status:#04x}"
    if bits and window.control is not None and window.control.config:
        yield broken(
            "a notification was sent while suspended", "ISR stays 0 until resume",
            f"ISR was set {times(bits)} after the status had shown {shown}; this device sets both bits for either kind of "
            "notification, so which of the two it was cannot be told, and neither may be sent", **evidence,
        )  # fmt: skip
    elif bits:
        yield broken(
            "a configuration change notification was sent while suspended", "ISR bit 1 stays 0 until resume",
            f"ISR bit 1 was set {times(bits)} after the status had shown {shown}", **evidence,
        )  # fmt: skip
    elif why := suspend.unread:
        yield moot(why)
    elif "V6" not in window.shows:
        return
    elif why := _not_proven(window):
        yield moot(why)
    elif any(fired.name == trigger[0] and not fired.trouble for fired in suspend.fired):
        yield kept(f"{trigger[0]} while suspended did not set ISR bit 1 within {window.setting.hold:g} s", **evidence)
    elif suspend.number == 1:  # in a later one of this scenario it is changed on the way there
        yield moot("the host side did not change the configuration of the suspended device")


@judges("V7")
def notifies_on_resume(window: Window) -> Iterator[Observation]:
    """A change that was asked for while suspended sets ISR bit 1 once the device runs again."""
    if "V7" not in window.shows:
        return
    for suspend in suspends(window)[:1]:
        heard = _heard(window, names.RESUMED_BIT)
        if why := suspend.why_not(window.setting.timeout) or _not_proven(window) or unsettled(window, suspend):
            yield moot(why)
        elif heard is not None:
            yield _notified_on_resume(window, heard)
    heard = _heard(window, names.ON_THE_WAY_BIT)
    if heard is not None and not heard.shown and not _not_proven(window):
        yield broken(
            "a configuration change was never notified", "ISR bit 1 before the device shows itself suspended, or after resume",
            f"{values(window, names.TRIGGER)[0]} between the SUSPEND write and the suspend set ISR bit 1 neither before the device "
            f"had shown itself suspended nor within {heard.limit:g} s of its resume",
        )  # fmt: skip


def _notified_on_resume(window: Window, heard: Listened) -> Observation:
    trigger, timeout = values(window, names.TRIGGER)[0], window.setting.timeout
    before, afterwards = values(window, names.SETTLED)[:1], values(window, names.RESUMED)[:1]
    generations = values(window, names.GENERATION)
    evidence: Evidence = {
        "trigger": trigger, "before": before[0] if before else None, "resumed": afterwards[0] if afterwards else None,
    }  # fmt: skip
    remarks: tuple[str, ...] = ()
    if len(generations) == 2:
        moved = "changed" if generations[0] != generations[1] else "did not change"
        remarks = (f"config_generation {moved} over the suspend; a device may count it lazily",)
    if heard.shown and afterwards and afterwards == before and values(window, names.SHOWS) == ["1"]:
        return broken(
            "the configuration change is lost", "the configuration that the change has made, and its notification",
            f"{trigger} while suspended set ISR bit 1 after resume, and the fields read as before", remarks=remarks, **evidence,
        )  # fmt: skip
    if heard.shown:
        return kept(f"{trigger} while suspended set ISR bit 1 after resume", remarks=remarks, **evidence)
    lost = "the change itself is lost as well" if afterwards == before else "the configuration did change"
    return broken(
        "no configuration change notification after resume", f"ISR bit 1 within {timeout:g} s of running",
        f"not within {timeout:g} s; {lost}", remarks=remarks, **evidence,
    )  # fmt: skip
