"""What the device should have done before it presents itself as suspended (V10, V11, V12; R7 of the RFC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uvirtio.errors import DeviceError, DeviceGone
from uvirtio.queue import QueueState

from ..driving.notified import isr_count
from ..judging.looks import Look, changed, read_configuration
from ..judging.outcomes import Window
from ..judging.verdict import Finding, Skip, Verdict, failed, passed
from .asleep import judge_loads, moved_indices, still, waiting_after
from .bench import Bench
from .registry import check

__all__: list[str] = []

#: Seconds that requests are kept in process where the host side can be asked for that.
SLOW = 0.02
#: Suspends at the device's own speed.
ATTEMPTS = 3


def _used(before: Look, after: Look) -> int:
    """How many entries the used rings of all queues grew by; descriptors in a packed ring."""
    return _used_between(before.states, after.states)


def _used_between(before: Mapping[int, QueueState], after: Mapping[int, QueueState]) -> int:
    return sum(_grown(before[index], after[index]) for index in before)


def _grown(before: QueueState, after: QueueState) -> int:
    if before.format != "packed":
        return (after.device_index - before.device_index) & 0xFFFF
    # Position and wrap counter (bit 15): a position of the next lap lies one ring size further.
    lap = ((after.device_index ^ before.device_index) >> 15) * before.size
    return (after.device_index & 0x7FFF) - (before.device_index & 0x7FFF) + lap


def _ignores_unnotified(bench: Bench) -> bool:
    """Whether the running device leaves buffers alone that it was not notified of; leaves it idle."""
    bench.load(kicked=False)
    before = bench.look()
    bench.sleep(bench.moment)
    after = bench.look()
    bench.need_workload().kick()
    bench.drain("buffers that were published without a notification, notified now")
    return not moved_indices(before, after)


@check("V10")
def stops_consuming(bench: Bench) -> Finding:
    """Buffers that the device was not told of before SUSPEND are not used by the first "done" read; none is later."""
    bench.start()
    quiet = _ignores_unnotified(bench)
    bench.load(kicked=False)
    window = bench.suspend()
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json(), "waits_for_notifications": quiet}
    expected = "no more buffers are consumed once SUSPEND is set"
    if moved := moved_indices(window.done, after):
        return failed(
            "buffers were consumed after the status had shown the device suspended",
            expected,
            "; ".join(moved),
            **evidence,
        )
    still(bench, after)
    taken, waiting = waiting_after(bench, window)
    if taken and quiet:
        return failed(
            f"{taken} buffers that nobody had notified were consumed between the SUSPEND write and {window.transition.status:#04x}",
            expected, f"{taken} of {window.outstanding} used at the first read that showed the device suspended", **evidence,
        )  # fmt: skip
    if waiting <= 0:
        raise Skip(
            "the device takes buffers without a notification, and had used all of them by the time it was suspended"
        )
    if (wrong := _under_load(bench, evidence, expected)) is not None:
        return wrong
    return passed(f"{waiting} buffers were left waiting, and stayed so", **evidence)


def _under_load(bench: Bench, evidence: dict[str, object], expected: str) -> Finding | None:
    """Once more with requests in process: finishing those must not make the device go on to the next ones."""
    try:
        bench.resume()
        bench.drain("waiting for what was left in the rings")
        bench.load(kicked=False)
        window = bench.suspend(kick=True)
    except DeviceGone:
        raise
    except (DeviceError, Skip) as error:
        evidence["under_load"] = f"not tried: {error}"
        return None
    after = bench.hold(bench.moment)
    evidence["under_load"] = {**window.to_json(), "after": after.to_json()}
    if moved := moved_indices(window.done, after):
        return failed(
            "buffers were consumed after the status had shown the device suspended",
            expected,
            "; ".join(moved),
            **evidence,
        )
    return None


def _in_flight(bench: Bench, look: Callable[[Bench, Window], Finding | None], nothing: str) -> Finding:
    """Judge suspends with requests in flight: at the device's own speed, and slowed down where the host can be asked for it.

    The first FAIL is the result, otherwise the last finding: which completions of a fast device fall between the write
    and "suspended" is a matter of luck. ``look`` gives None when the window showed nothing; where none showed anything,
    or nothing was in flight, the result is :class:`Skip`.
    """
    finding: Finding | None = None
    why = "the device answers within the notification, or was faster than the SUSPEND write"
    for slow in (*(False,) * ATTEMPTS, True):
        if slow and not bench.delay(SLOW):
            break
        bench.start()
        for queue in bench.queues.values():
            queue.interrupts(True)
        bench.load(kicked=False)
        answering = [index for index in bench.queues if bench.answers(index)]
        window = bench.suspend(kick=True)
        if all(window.queues[index].device_index == window.queues[index].driver_index for index in answering):
            continue
        if (found := look(bench, window)) is None:
            why = nothing
            continue
        finding = found
        if found.verdict is Verdict.FAIL:
            break
    if finding is not None:
        return finding
    raise Skip(f"nothing was in flight at the SUSPEND write: {why}" if why is not nothing else nothing)


@check("V11")
def finishes_first(bench: Bench) -> Finding:
    """Each request in flight at the write is used at the first "done" read, or untouched until resume; all come back."""
    return _in_flight(bench, _finished, "no request was in flight at the SUSPEND write")


def _finished(bench: Bench, window: Window) -> Finding | None:
    after = bench.hold(bench.hold_time / 2)
    evidence = {**window.to_json(), "after": after.to_json()}
    expected = "each request in process is used before the status shows the device suspended"
    if moved := moved_indices(window.done, after):
        return failed(
            "requests were finished after the status had shown the device suspended",
            expected,
            "; ".join(moved),
            **evidence,
        )
    still(bench, after)
    finished, waiting = waiting_after(bench, window)
    left = {
        f"queue {index} buffer {token}" for index, queue in bench.queues.items() for token in queue.in_flight()
    }  # what was used is gone from there by now
    begun = [name for name in changed(window.before, after, buffers_only=True) if name in left]
    if begun:
        return failed(
            "requests were begun and left half done", expected,
            f"not used, but written to: {', '.join(begun)}", **evidence,
        )  # fmt: skip
    try:
        bench.resume()
        bench.drain("waiting for the requests that were in flight at the suspend")
    except DeviceGone:
        raise
    except DeviceError as error:
        return failed(
            "requests in flight at the suspend were lost, doubled or damaged", expected, str(error), **evidence
        )
    return passed(
        f"of {window.outstanding} requests that were notified right before the write {finished} were finished first and "
        f"{waiting} left untouched",
        **evidence,
    )


@check("V12")
def notifies_first(bench: Bench) -> Finding:
    """What is used between the last ISR read and "done" shows as ISR bit 0 at the first "done" read."""
    return _in_flight(
        bench,
        _notified,
        "no request was finished between the SUSPEND write and the first read that showed the device suspended",
    )


def _notified(bench: Bench, window: Window) -> Finding | None:
    bench.need_queue_bit()
    finished = _used(window.before, window.done)
    evidence = {**window.to_json(), "used_meanwhile": finished}
    if not finished:
        return None
    if window.done.isr is None:
        raise Skip("ISR reads all-ones while the device is suspended")
    if window.done.isr == 3:
        raise Skip("ISR showed both bits at once, and a configuration change may set bit 0 as well")
    if not window.before.reaped:
        raise Skip(
            "the device was finishing requests all the time up to the SUSPEND write, so what it owed is not known"
        )
    if not window.done.isr & 1:
        became = _what_became_of_it(bench, window, evidence)
        return failed(
            "used buffers were not notified before the status showed the device suspended", "ISR bit 0 is set by then",
            f"{finished} buffers were used since ISR was read last, and ISR reads {window.done.isr:#x}; {became}", **evidence,
        )  # fmt: skip
    if _used_between(window.before.states, window.queues) or not _used_between(window.queues, window.done.states):
        return None  # that bit may be of buffers used before the write, or no buffer was used after it
    return passed(f"{finished} buffers were used meanwhile, and ISR bit 0 was set by then", **evidence)


def _what_became_of_it(bench: Bench, window: Window, evidence: dict[str, object]) -> str:
    """Whether a notification that is late comes while suspended (V3), after resume (well), or never (V9)."""
    isr = bench.device.notifications
    after = bench.hold()
    evidence["after"] = after.to_json()
    if after.queue_bits + after.both_bits > window.done.queue_bits + window.done.both_bits:
        bench.seen_broken["V3"] = "ISR bit 0 was set while suspended, for buffers that were used before"
        return "it was set later, while suspended"
    still(bench, after)
    bench.need_workload().reap()
    owed = bench.need_workload().outstanding
    seen = isr_count(bench.device)
    bench.resume(kick=False)
    bench.sleep(bench.hold_time)
    isr.collect()
    if isr_count(bench.device) > seen:
        return "it was set after resume"
    if owed:
        return "and whether that was made good cannot be told, since more requests were waiting"
    bench.seen_broken["V9"] = (
        f"{_used(window.before, after)} buffers were used around a suspend and never notified, not within "
        f"{bench.hold_time:g} s of resume either (2.7.7.2)"
    )
    return f"it stayed 0 for {bench.hold_time:g} s of the hold and as long after resume: the notification is lost"


@check("R7")
def stops_returns_and_keeps(bench: Bench) -> Finding:
    """The RFC's version of V10, V11 and V5 in one: nothing is consumed after SUSPEND shows, the configuration is kept."""
    return judge_loads(bench, _stopped_and_kept, "consume")


def _stopped_and_kept(bench: Bench, kick: bool) -> Finding | None:
    config = read_configuration(bench.device)
    window = bench.suspend(kick=kick)
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json()}
    expected = "nothing is consumed or returned once SUSPEND shows, and the configuration stays as it was"
    if moved := moved_indices(window.done, after):
        return failed("buffers were used after SUSPEND had shown", expected, "; ".join(moved), **evidence)
    if names := changed(window.done, after):
        return failed(
            "memory was written to after SUSPEND had shown", expected, f"changed: {', '.join(names)}", **evidence
        )
    kept = read_configuration(bench.device)
    if kept != config and set(kept) != {0xFF}:
        return failed(
            "the configuration changed over a suspend", expected, f"{config.hex()} -> {kept.hex()}", **evidence
        )
    finished, waiting = waiting_after(bench, window)
    if waiting <= 0:
        return None
    bench.resume()
    try:
        bench.drain("waiting for what was outstanding at the suspend")
    except DeviceGone:
        raise
    except DeviceError as error:
        return failed("requests were lost, doubled or damaged", expected, str(error), **evidence)
    return passed(f"{finished} buffers were returned first, {waiting} left waiting and served after resume", **evidence)
