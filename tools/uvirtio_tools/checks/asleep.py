"""What the device must leave alone while it is suspended: notifications (V3) and queues (V4)."""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.errors import CannotRun
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.status import GONE, Status, describe

from ..judging.looks import Look, changed
from ..judging.outcomes import Window
from ..judging.verdict import Finding, Skip, Verdict, failed, passed
from .bench import Bench
from .registry import check

__all__ = ["judge_loads", "moved_indices", "still", "waiting_after"]


def moved_indices(before: Look, after: Look) -> list[str]:
    """Queues whose used index moved, as sentences."""
    return [
        f"queue {index}: used index {before.used[index]} -> {after.used[index]}"
        for index in before.used
        if after.used[index] != before.used[index]
    ]


def waiting_after(bench: Bench, window: Window) -> tuple[int, int]:
    """Reap at the end of a window: (used between the write and "done" or later, still waiting)."""
    reaped = bench.need_workload().reap()
    return reaped, window.outstanding - reaped


def still(bench: Bench, after: Look) -> None:
    """Raise :class:`Skip` where the device was not suspended all the time."""
    status = after.status
    if status is None or status == GONE:
        return
    if status & Status.DEVICE_NEEDS_RESET:
        raise Skip(f"the device failed while it was suspended, which it may: status {describe(status)}")
    if not bench.dialect.is_suspended(status):
        raise Skip("the device did not stay suspended, see V8")


def _offer_traffic(bench: Bench) -> str:
    """Ask the host side to send something to the device; what that was."""
    if bench.triggers is None or "send_traffic" not in bench.triggers.available():
        return ""
    try:
        bench.triggers.fire("send_traffic")
    except CannotRun as error:
        return f"send_traffic could not be had: {error}"
    return "the host side sent traffic to the device while it was suspended"


def _nothing_waiting(what: str) -> Skip:
    return Skip(f"no buffer was left waiting, so there was nothing to {what}")


def judge_loads(bench: Bench, look: Callable[[Bench, bool], Finding | None], what: str) -> Finding:
    """Look under different loads, each on a fresh start; the first FAIL is the result, otherwise the last finding.

    First with everything notified right before the SUSPEND write, so that even a fast device has something to finish.
    Then with one half notified a while before and the other not at all; where that leaves no buffer waiting, on an idle
    device that is not notified of any. ``look(bench, kick)`` gives None when it had no buffer left waiting.
    """
    finding: Finding | None = None
    for kicked, kick in ((False, True), (True, False), (False, False)):
        bench.start()
        bench.load(kicked=kicked)
        if (found := look(bench, kick)) is not None:
            finding = found
            if kicked or found.verdict is Verdict.FAIL:
                break
    if finding is None:
        raise _nothing_waiting(what)
    return finding


@check("V3")
def quiet_queues(bench: Bench) -> Finding:
    """With requests in flight and buffers waiting, ISR bit 0 stays flat from the first "done" read on."""
    return judge_loads(bench, _quiet, "notify")


def _quiet(bench: Bench, kick: bool) -> Finding | None:
    bench.need_workload()
    if bench.control is not None and bench.control.sticky:
        bench.need_queue_bit()
    window = bench.suspend(kick=kick)
    remark = _offer_traffic(bench)
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json(), "control": bench.control and bench.control.to_json()}
    shown = describe(window.transition.status)
    delivered = after.interrupts - window.settled.interrupts
    since = window.cleared
    if since is None or after.isr is None:
        raise Skip("ISR reads all-ones while the device is suspended")
    if bits := after.queue_bits - since.queue_bits:
        return failed(
            "a used buffer notification was sent while suspended", "ISR bit 0 stays 0",
            f"ISR bit 0 was set {bits} time(s) after the status had shown {shown}; interrupts delivered: {delivered}", **evidence,
        )  # fmt: skip
    still(bench, after)
    if bits := after.both_bits - since.both_bits:
        return failed(
            "a notification was sent while suspended", "ISR stays 0",
            f"ISR showed both bits {bits} time(s) after the status had shown {shown}: which of the two notifications "
            "it was cannot be told, and neither may be sent (see V6)", **evidence,
        )  # fmt: skip
    bench.need_queue_bit()
    _, waiting = waiting_after(bench, window)
    if waiting <= 0:
        return None
    finding = passed(f"ISR bit 0 stayed 0 for {bench.hold_time:g} s with {waiting} buffers waiting", **evidence)
    if remark:
        finding.remarks.append(remark)
    if delivered:
        finding.remarks.append(
            f"{delivered} interrupt(s) were delivered all the same; ISR says that they were not this device's"
        )
    return finding


@check("V4")
def untouched_queues(bench: Bench) -> Finding:
    """With requests in flight and buffers waiting, rings and buffers stay as they are; also after a kick, at once or later."""
    finding = judge_loads(bench, _untouched, "touch")
    if finding.verdict is Verdict.PASS:
        bench.start()
        bench.load(kicked=False)
        if (wrong := _prodded(bench)) is not None:
            return wrong
    return finding


def _untouched(bench: Bench, kick: bool) -> Finding | None:
    bench.need_workload()
    window = bench.suspend(kick=kick)
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json()}
    if (wrong := _touched(bench, window.done, after)) is not None:
        wrong.evidence = evidence
        return wrong
    still(bench, after)
    kicked = bench.kick_asleep()
    last = bench.hold(bench.hold_time / 2)
    evidence["after_kick"] = last.to_json()
    if (wrong := _touched(bench, after, last)) is not None:
        wrong.evidence = evidence
        wrong.observed += f", after a kick of queue(s) {kicked} while suspended"
        return wrong
    still(bench, last)
    _, waiting = waiting_after(bench, window)
    if waiting <= 0:
        return None
    finding = passed(
        f"rings and buffers stayed unchanged with {waiting} buffers waiting, also after a kick", **evidence
    )
    finding.remarks.append("silent reads of a queue show only on a device that records what it does")
    return finding


def _prodded(bench: Bench) -> Finding | None:
    """A kick as soon as the status shows the device suspended: one that shows it too early still serves that."""
    window = bench.suspend(prod=True)
    after = bench.hold(bench.hold_time / 2)
    if (wrong := _touched(bench, window.done, after)) is not None:
        wrong.evidence = {**window.to_json(), "after": after.to_json()}
        wrong.observed += ", after a kick at once after the status had shown it suspended"
        return wrong
    still(bench, after)
    return None


def _touched(bench: Bench, before: Look, after: Look) -> Finding | None:
    expected = (
        "used rings, descriptors and buffers stay as they were at the first read that showed the device suspended"
    )
    if moved := moved_indices(before, after):
        return failed("the device used buffers while suspended", expected, "; ".join(moved))
    if names := changed(before, after):
        return failed("the device wrote to memory while suspended", expected, f"changed: {', '.join(names)}")
    if bench.dialect is not V1_4 and after.status == GONE:
        raise Skip("the status reads all-ones")
    return None
