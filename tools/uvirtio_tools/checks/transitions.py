"""Whether the device suspends and resumes when it is asked to (V8, V9), and its rings go on (V16)."""

from __future__ import annotations

from uvirtio.errors import DeviceError, DeviceGone
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.status import GONE, Status, describe

from ..driving.notified import isr_count, shows_in_isr
from ..judging.outcomes import Control, FailedAsleep, NotResumed, NotSuspended, Refused
from ..judging.verdict import Finding, Skip, Verdict, failed, info, passed
from .bench import Bench
from .registry import check
from .same import mastering

__all__: list[str] = []

#: Suspends in a row for the ring indices.
CYCLES = 3
#: Looks at the status of a suspended device during a hold.
LOOKS = 5


@check("V8")
def suspends(bench: Bench) -> Finding:
    """Under load, SUSPEND is written once; within the time limit the status shows it, and goes on showing it."""
    bench.start()
    if bench.workload is not None:
        bench.load()
    try:
        window = bench.suspend(insist=True)
    except Refused as refusal:
        return passed(f"refused: status {describe(refusal.transition.status)}", suspend=refusal.transition.to_json())
    except NotSuspended as late:
        return failed(
            f"not within {bench.timeout:g} s", "SUSPEND=1 and DRIVER_OK=0, or DEVICE_NEEDS_RESET",
            f"status {describe(late.transition.status)} after {late.transition.reads} reads",
            suspend=late.transition.to_json(),
        )  # fmt: skip
    status = window.transition.status
    if not V1_4.is_suspended(status):
        return failed(
            "DRIVER_OK stays set", "SUSPEND=1 and DRIVER_OK=0", f"status {describe(status)}", **window.to_json()
        )
    for _ in range(LOOKS):
        bench.sleep(bench.hold_time / LOOKS)
        later = bench.device.status.read()
        if later == GONE or (bench.dialect.is_suspended(later) and not later & Status.DEVICE_NEEDS_RESET):
            continue
        if later & Status.DEVICE_NEEDS_RESET:
            # A device may fail at any time (2.1), so no MUST is broken; but no driver can rely on such a suspend.
            return Finding(
                Verdict.WARN, f"suspended, and failed by itself within {bench.hold_time:g} s: status {describe(later)}",
                f"status {describe(status)} until DRIVER_OK is written", "DEVICE_NEEDS_RESET, which nothing has provoked",
                window.to_json(), allowed=True,
            )  # fmt: skip
        return failed(
            "did not stay suspended", f"status {describe(status)} until DRIVER_OK is written",
            f"status {describe(later)} within {bench.hold_time:g} s", **window.to_json(),
        )  # fmt: skip
    finding = passed(
        f"suspended in {window.transition.seconds * 1e3:.3f} ms, status {describe(status)}", **window.to_json()
    )
    finding.remarks += window.transition.remarks
    return finding


@check("V9")
def resumes(bench: Bench) -> Finding:
    """DRIVER_OK is written with no bit cleared; in time the status shows "running", and fresh requests are served."""
    if not bench.dialect.resume_sets_driver_ok:
        return info("not comparable: DRIVER_OK stays set in this dialect; C2 says how it resumes")
    bench.start()
    arrived = bench.workload is not None and bench.interrupts()
    mastered = mastering(bench.device)
    bench.suspend()
    finding = _resume_and_move(bench, arrived)
    if mastered and not mastering(bench.device) and not bench.device.status.absent():
        return failed(
            "bus mastering was switched off over the suspend", "the command register stays as it was",
            f"Bus Master Enable reads 0 after the resume, and nobody cleared it; {finding.summary}", **finding.evidence,
        )  # fmt: skip
    return finding


def _resume_and_move(bench: Bench, arrived: bool) -> Finding:
    expected = "SUSPEND=0 and DRIVER_OK=1, and requests are served; or DEVICE_NEEDS_RESET"
    try:
        transition = bench.resume(fallback=False)
    except FailedAsleep:
        raise
    except Refused as refusal:
        return passed(f"refused: status {describe(refusal.transition.status)}", resume=refusal.transition.to_json())
    except NotResumed as late:
        observed = f"status {describe(late.transition.status)} after {late.transition.reads} reads"
        if bench.dialect.fallback:
            bench.falls_back = True
            try:
                bench.resume()
                observed += "; 0x0f, which clears SUSPEND and which no driver may write (D7), did resume it"
            except (NotResumed, Refused):
                bench.falls_back = False
                observed += "; 0x0f does not resume it either"
        return failed(f"not within {bench.timeout:g} s", expected, observed, resume=late.transition.to_json())
    before, after = bench.control, None
    wrong = ""
    if bench.workload is not None:
        wrong, after = bench.move_data("traffic after resume")
    if wrong:
        status = bench.device.status.read()
        if status & Status.DEVICE_NEEDS_RESET and status != GONE:
            return passed(f"refused, after it had shown itself running: status {describe(status)}")
        return failed("running, but requests are not served", expected, wrong, resume=transition.to_json())
    status = bench.device.status.read()
    if not bench.dialect.is_running(status) and status != GONE:
        return failed("did not stay running", expected, f"status {describe(status)}", resume=transition.to_json())
    if before is not None and after is not None and before.notified:
        try:
            silent = _silent(bench, after, arrived)
        except DeviceGone:
            raise
        except DeviceError as error:
            return failed("running, but requests are not served", expected, str(error), resume=transition.to_json())
        if silent:
            return failed(
                "running, but used buffers are not notified any more", expected, silent, resume=transition.to_json()
            )
    if bench.workload is None:
        raise Skip("running as far as the status says, but there is no driver for this device type to move data with")
    finding = passed(
        f"running in {transition.seconds * 1e3:.3f} ms after {transition.written[0]:#04x}, requests are served",
        resume=transition.to_json(),
    )
    finding.remarks += transition.remarks
    return finding


def _silent(bench: Bench, after: Control, arrived: bool) -> str:
    """What is wrong with the notifications of a device that runs again; empty when nothing is.

    ``arrived``: an interrupt did arrive before the suspend.
    """
    if not after.notified and not bench.notifies():
        return (
            f"{after.completed} buffers were used after resume, and ISR showed none of them; before the suspend it did"
        )
    if arrived and not bench.interrupts():
        return (
            f"ISR shows the buffers that are used, and no interrupt arrives for them ({bench.device.notifications.line.description}); "
            "before the suspend one did (4.1.5.3)"
        )
    return ""


@check("R6")
def resumes_upon_driver_ok(bench: Bench) -> Finding:
    """As V9: DRIVER_OK is written to the suspended device."""
    return resumes(bench)


def _resume_and_listen(bench: Bench) -> str:
    """Resume, and leave what had waited in the rings until ISR shows it; what is wrong with that, empty when nothing is."""
    workload, isr = bench.need_workload(), bench.device.notifications
    workload.reap()
    waiting, since = workload.outstanding, isr_count(bench.device)
    bench.resume()
    if not waiting or bench.control is None or not bench.control.queue_bit:
        return ""
    if shows_in_isr(bench.device, since, bench.limit()):
        return ""
    # A machine that is busy may be late with it.
    bench.sleep(bench.hold_time)
    isr.collect()
    if isr_count(bench.device) > since:
        return ""
    return (
        f"of {waiting} buffers that had waited some were used after the resume, and ISR showed none of them (2.7.7.2)"
    )


@check("V16")
def rings_go_on(bench: Bench) -> Finding:
    """Several suspends under load: every request comes back exactly once, and the rings continue."""
    bench.start()
    workload = bench.need_workload()
    arrived = bench.interrupts()
    moved = 0
    for number in range(1, CYCLES + 1):
        which, evidence = f"suspend {number} of {CYCLES}", dict[str, object]()
        bench.load()
        try:
            evidence = bench.suspend().to_json()
            bench.sleep(bench.moment)
            silent = _resume_and_listen(bench)
            # Twice, because a ring that went wrong may only show when it is used again.
            moved += bench.drain("waiting for what was outstanding at the suspend")
            moved += (after := bench.traffic("traffic after resume")).completed
            if not silent and bench.control is not None and bench.control.notified:
                silent = _silent(bench, after, arrived)
        except (NotSuspended, NotResumed) as stuck:
            if number == 1:
                raise
            return failed(f"{which} did not come off as the one before", "the same every time", str(stuck))
        except DeviceGone:
            raise
        except DeviceError as error:
            return failed(
                f"{which}: requests were lost, doubled or damaged", "every request comes back exactly once",
                str(error), queues={str(i): str(queue.state()) for i, queue in bench.queues.items()}, **evidence,
            )  # fmt: skip
        if silent:
            return failed(
                f"{which}: used buffers are not notified any more", "everything goes on as before", silent, **evidence
            )
    return passed(f"{CYCLES} suspends, {moved} requests in all: {workload.proves()}", requests=moved)
