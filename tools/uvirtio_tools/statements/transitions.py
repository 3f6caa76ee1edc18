"""Whether the device suspends and resumes when it is asked to (V8, V9, R6), and its rings go on (V16)."""

from __future__ import annotations

from collections.abc import Iterator

from uvirtio.spec.dialects import V1_4
from uvirtio.spec.status import GONE, Status, describe
from uvirtio.suspend import Outcome, Transition

from ..judging import names
from ..judging.events import Listened
from ..judging.history import Window
from ..judging.observation import Evidence, Observation, broken, kept, moot, noted, told
from ..judging.suspends import Suspend, suspends
from . import judges, register_factory
from .common import awake, came_back, dialect_of, milliseconds, served, unsettled, values

__all__: list[str] = []

#: Suspends in a row after which rings are said to go on.
IN_A_ROW = 3


@judges("V8")
def suspends_when_asked(window: Window) -> Iterator[Observation]:
    """SUSPEND is written once; within the time limit the status shows it, and goes on showing it."""
    limit = window.setting.timeout
    # Neither a notification nor a write to the configuration may wake it.
    for suspend in suspends(window, "D4", "D5"):
        transition = suspend.transition
        status = describe(transition.status)
        if suspend.refused:
            yield kept(f"refused: status {status}", suspend=transition.to_json())
        elif suspend.late:
            yield broken(
                f"not within {limit:g} s", "SUSPEND=1 and DRIVER_OK=0, or DEVICE_NEEDS_RESET",
                f"status {status} after {transition.reads} reads", suspend=transition.to_json(),
            )  # fmt: skip
        elif suspend.shown and not V1_4.is_suspended(transition.status):
            yield broken("DRIVER_OK stays set", "SUSPEND=1 and DRIVER_OK=0", f"status {status}", **suspend.evidence())
        elif suspend.shown:
            yield _stays_suspended(window, suspend)


def _stays_suspended(window: Window, suspend: Suspend) -> Observation:
    dialect, hold = dialect_of(window), window.setting.hold
    status, evidence = describe(suspend.transition.status), suspend.evidence()
    for _, later in suspend.answers:
        if later & Status.DEVICE_NEEDS_RESET:
            # A device may fail at any time (2.1), so no MUST is broken; but no driver can rely on such a suspend.
            return noted(
                f"suspended, and failed by itself within {hold:g} s: status {describe(later)}",
                f"status {status} until DRIVER_OK is written", "DEVICE_NEEDS_RESET, which nothing has provoked",
                strict=False, **evidence,
            )  # fmt: skip
        if not dialect.is_suspended(later):
            return broken(
                "did not stay suspended", f"status {status} until DRIVER_OK is written",
                f"status {describe(later)} within {suspend.watched:.3g} s", **evidence,
            )  # fmt: skip
    shown = suspend.asked + suspend.transition.seconds
    watched = max((time for time, _ in suspend.answers), default=shown) - shown
    if watched < 0.99 * hold:
        return moot(f"suspended, and its status was watched for {watched:.3g} s only")
    return kept(
        f"suspended in {milliseconds(suspend.transition.seconds)}, status {status}",
        remarks=suspend.transition.remarks, **evidence,
    )  # fmt: skip


_RESUMED = "SUSPEND=0 and DRIVER_OK=1, and requests are served; or DEVICE_NEEDS_RESET"


@judges("V9", "R6")
def resumes_when_asked(window: Window) -> Iterator[Observation]:
    """DRIVER_OK is written with no bit cleared; in time the status shows "running", and fresh requests are served."""
    dialect = dialect_of(window)
    for suspend in suspends(window):
        if not dialect.resume_sets_driver_ok:
            yield told("not comparable: DRIVER_OK stays set in this dialect; C2 says how it resumes")
        elif not suspend.shown:
            yield moot(suspend.why_not(window.setting.timeout))
        elif suspend.resume is not None and any(byte & Status.SUSPEND for byte in suspend.resume.written[:1]):
            yield from _resumed(window, suspend, suspend.resume)


def _resumed(window: Window, suspend: Suspend, resume: Transition) -> Iterator[Observation]:
    evidence: Evidence = {"resume": resume.to_json()}
    status = describe(resume.status)
    if values(window, names.MASTERING) == ["1", "0"]:
        yield broken(
            "bus mastering was switched off over the suspend", "the command register stays as it was",
            f"Bus Master Enable reads 0 after the resume, and nobody cleared it; status {status}", **evidence,
        )  # fmt: skip
    elif resume.outcome is Outcome.REFUSED:
        before = resume.status_before
        if before & Status.DEVICE_NEEDS_RESET and before != GONE:
            yield moot(f"the device failed while it was suspended, which it may: status {status}")
        else:
            yield kept(f"refused: status {status}", **evidence)
    elif why := awake(window, resume):
        yield moot(why)
    elif resume.outcome is Outcome.TIMED_OUT:
        observed = f"status {status} after {resume.reads} reads"
        if suspend.fallback is not None and suspend.fallback.done:
            observed += "; 0x0f, which clears SUSPEND and which no driver may write (D7), did resume it"
        elif suspend.fallback is not None:
            observed += "; 0x0f does not resume it either"
        yield broken(f"not within {window.setting.timeout:g} s", _RESUMED, observed, **evidence)
    elif resume.done:
        yield from _works(window, suspend, resume, evidence)


def _works(window: Window, suspend: Suspend, resume: Transition, evidence: Evidence) -> Iterator[Observation]:
    later = [status for _, status in suspend.statuses_after if status != GONE]
    failed = next((status for status in later if status & Status.DEVICE_NEEDS_RESET), None)
    if suspend.troubles and failed is not None:
        yield kept(f"refused, after it had shown itself running: status {describe(failed)}")
        return
    if suspend.troubles and suspend.owed:
        yield moot("running, and requests that were outstanding at the suspend were lost, see V16")
        return
    if suspend.troubles:
        yield broken("running, but requests are not served", _RESUMED, suspend.troubles[0].text, **evidence)
        return
    fallen = next((status for status in later if not dialect_of(window).is_running(status)), None)
    if fallen is not None:
        yield broken("did not stay running", _RESUMED, f"status {describe(fallen)}", **evidence)
    elif silent := _silent(window, suspend):
        yield broken("running, but used buffers are not notified any more", _RESUMED, silent, **evidence)
    elif window.setting.unmoved:
        yield moot("running as far as the status says, but there is no driver for this device type to move data with")
    elif served(suspend):
        yield kept(
            f"running in {milliseconds(resume.seconds)} after {resume.written[0]:#04x}, requests are served",
            remarks=resume.remarks, **evidence,
        )  # fmt: skip


def _silent(window: Window, suspend: Suspend) -> str:
    """What is wrong with the notifications of a device that runs again; empty when nothing is."""
    for heard in suspend.after:
        if not isinstance(heard, Listened) or heard.shown or heard.about != names.WOKEN:
            continue
        if heard.what == "used":
            count = sum(traffic.completed for traffic in suspend.traffic)
            return f"{count} buffers were used after resume, and ISR showed none of them; before the suspend it did"
        if heard.what == "line":
            return (
                f"ISR shows the buffers that are used, and no interrupt arrives for them ({window.setting.line}); "
                "before the suspend one did (4.1.5.3)"
            )
    return ""


class RingsGoOn:
    """V16: several suspends under load in one life of the device; every request comes back exactly once."""

    def __init__(self) -> None:
        self._run = 0
        self._good = 0
        self._moved = 0

    def __call__(self, window: Window) -> Iterator[Observation]:
        """What a window shows: one suspend, or several in a row."""
        if window.run != self._run:
            self._run, self._good, self._moved = window.run, 0, 0
        if window.setting.unmoved:
            yield moot(window.setting.unmoved)
            return
        for suspend in suspends(window):
            yield from self._one(window, suspend)

    def _one(self, window: Window, suspend: Suspend) -> Iterator[Observation]:
        which = f"suspend {self._good + 1}"
        if not suspend.shown or not suspend.running:
            why = suspend.why_not(window.setting.timeout) or _not_running(window, suspend)
            if not why:
                return  # it was not asked to resume
            stuck = suspend.late or (suspend.resume is not None and suspend.resume.outcome is Outcome.TIMED_OUT)
            if self._good and stuck:
                yield broken(f"{which} was not like the one before", "the same every time", why)
            else:
                yield moot(why)
            return
        if suspend.loaded is None:
            return  # nothing was in the rings that could be lost
        evidence = suspend.evidence()
        if suspend.troubles:
            states = {str(index): str(state) for index, state in suspend.states.items()}
            yield broken(
                f"{which}: requests were lost, doubled or damaged", "every request comes back exactly once",
                suspend.troubles[0].text, queues=states, **evidence,
            )  # fmt: skip
        elif silent := self._silent(window, suspend):
            yield broken(
                f"{which}: used buffers are not notified any more", "everything goes on as before", silent, **evidence
            )
        elif came_back(suspend) and (why := unsettled(window, suspend)):
            yield moot(why)
        elif came_back(suspend):
            self._good += 1
            self._moved += sum(drained.completed for drained in suspend.drained)
            if self._good >= IN_A_ROW:
                yield kept(
                    f"{self._good} suspends, {self._moved} requests in all: {suspend.drained[-1].proves}",
                    requests=self._moved,
                )
            else:
                yield moot(f"{self._good} suspends in a row went well; {IN_A_ROW} are needed to say that rings go on")

    @staticmethod
    def _silent(window: Window, suspend: Suspend) -> str:
        for heard in suspend.listened("used"):
            if not heard.shown and heard.about == names.WAITED:
                return (
                    f"of {heard.expected} buffers that had waited some were used after the resume, and ISR showed none of "
                    "them (2.7.7.2)"
                )
            if not heard.shown and heard.about == names.AROUND and heard.expected:
                return (
                    f"{heard.expected} buffers were used, and notified neither before the device showed itself suspended nor "
                    "after its resume (2.7.7.2)"
                )
        return _silent(window, suspend)


register_factory("V16", RingsGoOn)


def _not_running(window: Window, suspend: Suspend) -> str:
    resume = suspend.fallback or suspend.resume
    if resume is None or resume.done:
        return ""
    status = describe(resume.status)
    if resume.outcome is Outcome.REFUSED:
        before = resume.status_before
        if before & Status.DEVICE_NEEDS_RESET and before != GONE:
            return f"the device failed while it was suspended, which it may: status {status}"
        return f"the device refused to resume (DEVICE_NEEDS_RESET, status {status}), which it may"
    wrote = " and ".join(f"{byte:#04x}" for byte in resume.written)
    return f"the device did not resume within {window.setting.timeout:g} s of writing {wrote}: status {status}"
