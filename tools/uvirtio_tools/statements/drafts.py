"""The Chromium dialect's statements (C1 to C3)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.status import describe
from uvirtio.suspend import Outcome

from ..judging import names
from ..judging.history import Window
from ..judging.looks import Look, moved_indices
from ..judging.observation import Evidence, Observation, broken, kept, moot
from ..judging.suspends import Suspend, suspends
from ..wording import times
from . import judges
from .common import awake, served, silent_isr, unsettled

__all__: list[str] = []


@judges("C1")
def keeps_driver_ok(window: Window) -> Iterator[Observation]:
    """SUSPEND is written; the status shows it with DRIVER_OK still set."""
    for suspend in suspends(window):
        status = describe(suspend.transition.status)
        if suspend.refused:
            yield kept(f"refused: status {status}")
        elif suspend.late:
            yield broken(
                f"not within {window.setting.timeout:g} s", "SUSPEND=1 and DRIVER_OK=1", f"status {status}",
                suspend=suspend.transition.to_json(),
            )  # fmt: skip
        elif suspend.shown:
            yield kept(f"status {status}", **suspend.evidence())


@judges("C2")
def resumes_by_clearing(window: Window) -> Iterator[Observation]:
    """SUSPEND is cleared; the status shows the device running, and requests are served."""
    for suspend in suspends(window):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif suspend.resume is not None and suspend.resume.written:
            yield from _resumed(window, suspend)


def _resumed(window: Window, suspend: Suspend) -> Iterator[Observation]:
    resume = suspend.resume
    assert resume is not None, "it is known that it was asked for"
    evidence: Evidence = {"resume": resume.to_json()}
    if resume.outcome is Outcome.REFUSED:
        yield kept(f"refused: status {describe(resume.status)}")
    elif why := awake(window, resume):
        yield moot(why)
    elif resume.outcome is Outcome.TIMED_OUT:
        yield broken(
            f"not within {window.setting.timeout:g} s", "SUSPEND=0 and DRIVER_OK=1", f"status {describe(resume.status)}",
            **evidence,
        )  # fmt: skip
    elif resume.done and suspend.troubles and not suspend.owed:
        yield broken(
            "running, but requests are not served", "requests are served", suspend.troubles[0].text, **evidence
        )
    elif resume.done and served(suspend):
        yield kept(f"running after {resume.written[0]:#04x}, requests are served", **evidence)
    elif window.setting.unmoved:
        yield moot(window.setting.unmoved)


@judges("C3")
def holds_interrupts_back(window: Window) -> Iterator[Observation]:
    """Queues may run on while suspended, but ISR stays flat; what was held back shows in ISR after resume."""
    for suspend in suspends(window, "D4"):
        if not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif window.control is not None and window.control.sticky:
            yield moot(silent_isr(window))
        elif suspend.isr_span is None:
            yield moot(suspend.unread)
        else:
            yield _held_back(window, suspend, *suspend.isr_span)


def _held_back(window: Window, suspend: Suspend, since: Look, after: Look) -> Observation:
    evidence, settled = suspend.evidence(), suspend.look("settled")
    expected = "ISR stays 0 while suspended, and bit 0 is set after resume"
    # A device that fails has to tell of that, and one that has woken up may tell of anything.
    why, used = unsettled(window, suspend), after.queue_bits - since.queue_bits
    bits = used + after.config_bits - since.config_bits
    if used or (bits and not why):
        delivered = after.interrupts - settled.interrupts if settled is not None else 0
        return broken(
            "a notification was sent while suspended", expected,
            f"ISR was set {times(bits)}; interrupts delivered: {delivered}", **evidence,
        )  # fmt: skip
    if why := why or suspend.unread or silent_isr(window):
        return moot(why)
    if suspend.done is None or not moved_indices(suspend.done, after):
        return moot("nothing was finished while suspended, so nothing was held back")
    for heard in suspend.listened("used"):
        if heard.about not in (names.AROUND, names.WAITED):
            continue
        if heard.shown:
            return kept("ISR stayed 0 while buffers were used, and bit 0 was set after resume", **evidence)
        if heard.about == names.AROUND:
            return broken(
                "what was held back did not arrive after resume",
                expected,
                f"ISR stayed 0 for {heard.limit:g} s",
                **evidence,
            )
    return moot("whether what was held back arrives after resume was not seen")
