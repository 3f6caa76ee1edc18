"""The Chromium dialect's statements (C1 to C3)."""

from __future__ import annotations

from uvirtio.spec.dialects import CHROMIUM
from uvirtio.spec.status import describe

from ..judging.outcomes import FailedAsleep, NotResumed, NotSuspended, Refused
from ..judging.verdict import Finding, Skip, failed, passed
from .asleep import judge_loads, moved_indices
from .bench import Bench
from .registry import check

__all__: list[str] = []


@check("C1")
def keeps_driver_ok(bench: Bench) -> Finding:
    """SUSPEND is written; the status shows it with DRIVER_OK still set."""
    bench.start()
    if bench.workload is not None:
        bench.load()
    try:
        window = bench.suspend(insist=True)
    except Refused as refusal:
        return passed(f"refused: status {describe(refusal.transition.status)}")
    except NotSuspended as late:
        return failed(
            f"not within {bench.timeout:g} s", "SUSPEND=1 and DRIVER_OK=1", f"status {describe(late.transition.status)}",
            suspend=late.transition.to_json(),
        )  # fmt: skip
    return passed(f"status {describe(window.transition.status)}", **window.to_json())


@check("C2")
def resumes_by_clearing(bench: Bench) -> Finding:
    """SUSPEND is cleared; the status shows the device running, and requests are served."""
    bench.start()
    bench.suspend()
    try:
        transition = bench.resume()
    except FailedAsleep:
        raise
    except Refused as refusal:
        return passed(f"refused: status {describe(refusal.transition.status)}")
    except NotResumed as late:
        return failed(
            f"not within {bench.timeout:g} s", "SUSPEND=0 and DRIVER_OK=1", f"status {describe(late.transition.status)}",
            resume=late.transition.to_json(),
        )  # fmt: skip
    bench.need_workload()
    wrong, _ = bench.move_data("traffic after resume")
    if wrong:
        return failed("running, but requests are not served", "requests are served", wrong)
    return passed(f"running after {transition.written[0]:#04x}, requests are served", resume=transition.to_json())


@check("C3")
def holds_interrupts_back(bench: Bench) -> Finding:
    """Queues may run on while suspended, but ISR stays flat; what was held back shows in ISR after resume."""
    assert bench.dialect is CHROMIUM
    return judge_loads(bench, _held_back, "finish while suspended")


def _held_back(bench: Bench, kick: bool) -> Finding | None:
    bench.need_queue_bit()
    window = bench.suspend(kick=kick)
    bench.kick_asleep()  # so that something is finished meanwhile
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json()}
    since = window.cleared
    if since is None or after.isr is None:
        raise Skip("ISR reads all-ones while the device is suspended")
    bits = after.queue_bits + after.config_bits - since.queue_bits - since.config_bits
    expected = "ISR stays 0 while suspended, and bit 0 is set after resume"
    if bits:
        return failed(
            "a notification was sent while suspended", expected,
            f"ISR was set {bits} time(s); interrupts delivered: {after.interrupts - window.settled.interrupts}", **evidence,
        )  # fmt: skip
    if not moved_indices(window.done, after):
        return None  # nothing was finished while suspended, so nothing was held back
    seen = bench.device.notifications.used
    bench.resume(kick=False)
    bench.sleep(bench.hold_time)
    bench.device.notifications.collect()
    if bench.device.notifications.used == seen:
        return failed(
            "what was held back did not arrive after resume",
            expected,
            f"ISR stayed 0 for {bench.hold_time:g} s",
            **evidence,
        )
    return passed("ISR stayed 0 while buffers were used, and bit 0 was set after resume", **evidence)
