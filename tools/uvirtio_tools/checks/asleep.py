"""What the device must leave alone while it is suspended: notifications (V3) and queues (V4)."""

from __future__ import annotations

from collections.abc import Callable

from uvirtio.errors import CannotRun
from uvirtio.spec.dialects import V1_4

from .bench import Bench
from .look import Look, changed
from .outcomes import Window
from .registry import check
from .verdict import Finding, Skip, failed, passed

__all__ = ["moved_indices", "try_twice", "waiting_after"]


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


def _still(bench: Bench, after: Look) -> None:
    status = after.status
    if status is not None and status != 0xFF and not bench.dialect.is_suspended(status):
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


def try_twice(bench: Bench, look: Callable[[Bench], Finding | None], what: str) -> Finding:
    """Under load; where that leaves no buffer waiting, again on an idle device that is not notified of any."""
    bench.start()
    bench.load()
    if (finding := look(bench)) is None:
        bench.start()
        bench.load(kicked=False)
        finding = look(bench)
    if finding is None:
        raise _nothing_waiting(what)
    return finding


@check("V3")
def quiet_queues(bench: Bench) -> Finding:
    """With requests in flight and buffers waiting, ISR bit 0 stays flat from the first "done" read on."""
    return try_twice(bench, _quiet, "notify")


def _quiet(bench: Bench) -> Finding | None:
    bench.need_queue_bit()
    window = bench.suspend()
    remark = _offer_traffic(bench)
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json(), "control": bench.control and bench.control.to_json()}
    bits = after.queue_bits - window.done.queue_bits
    if bits:
        return failed(
            "a used buffer notification was sent while suspended", "ISR bit 0 stays 0",
            f"ISR bit 0 was set {bits} time(s) after the status had shown {window.transition.status:#04x}; "
            f"interrupts delivered: {after.interrupts - window.settled.interrupts}", **evidence,
        )  # fmt: skip
    _still(bench, after)
    if after.isr is None or window.settled.isr is None:
        raise Skip("ISR reads all-ones while the device is suspended")
    if after.both_bits > window.done.both_bits:
        raise Skip("ISR showed both bits at once, and a configuration change may set bit 0 as well")
    _, waiting = waiting_after(bench, window)
    if waiting <= 0:
        return None
    finding = passed(f"ISR bit 0 stayed 0 for {bench.hold_time:g} s with {waiting} buffers waiting", **evidence)
    if remark:
        finding.remarks.append(remark)
    if delivered := after.interrupts - window.settled.interrupts:
        finding.remarks.append(
            f"{delivered} interrupt(s) were delivered all the same; ISR says that they were not this device's"
        )
    return finding


@check("V4")
def untouched_queues(bench: Bench) -> Finding:
    """With requests in flight and buffers waiting, rings and buffers stay as they are; then also after a kick."""
    return try_twice(bench, _untouched, "touch")


def _untouched(bench: Bench) -> Finding | None:
    bench.need_workload()
    window = bench.suspend()
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json()}
    if (wrong := _touched(bench, window.done, after)) is not None:
        wrong.evidence = evidence
        return wrong
    _still(bench, after)
    kicked = []
    with bench.device.deviating("D4", "a kick while suspended must have no effect"):
        for index, queue in bench.queues.items():
            if queue._queue.outstanding:
                queue._queue.kick()
                kicked.append(index)
    last = bench.hold(bench.hold_time / 2)
    evidence["after_kick"] = last.to_json()
    if (wrong := _touched(bench, after, last)) is not None:
        wrong.evidence = evidence
        wrong.observed += f", after a kick of queue(s) {kicked} while suspended"
        return wrong
    _still(bench, last)
    _, waiting = waiting_after(bench, window)
    if waiting <= 0:
        return None
    finding = passed(
        f"rings and buffers stayed unchanged with {waiting} buffers waiting, also after a kick", **evidence
    )
    finding.remarks.append("silent reads of a queue show only on a device that records what it does")
    return finding


def _touched(bench: Bench, before: Look, after: Look) -> Finding | None:
    expected = (
        "used rings, descriptors and buffers stay as they were at the first read that showed the device suspended"
    )
    if moved := moved_indices(before, after):
        return failed("the device used buffers while suspended", expected, "; ".join(moved))
    if names := changed(before, after):
        return failed("the device wrote to memory while suspended", expected, f"changed: {', '.join(names)}")
    if bench.dialect is not V1_4 and after.status is not None and after.status == 0xFF:
        raise Skip("the status reads all-ones")
    return None
