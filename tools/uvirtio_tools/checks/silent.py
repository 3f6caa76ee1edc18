"""What virtio 1.4 leaves unsaid: tried, and reported as INFO (I1 to I8)."""

from __future__ import annotations

from uvirtio.access.trace import Access
from uvirtio.access.wait import YES, poll
from uvirtio.errors import DeviceError, DeviceGone
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.status import Status, describe
from uvirtio.status import Phase

from ..judging.latency import Latency
from ..judging.verdict import Finding, Skip, info
from .bench import Bench
from .registry import check

__all__: list[str] = []


def _moves(bench: Bench) -> str:
    """Whether traffic works now, in words."""
    if bench.workload is None:
        return "there is no driver to move data with"
    wrong, _ = bench.move_data("traffic after an odd SUSPEND")
    return f"data does not move: {wrong}" if wrong else "data moves"


@check("I1")
def not_negotiated(bench: Bench) -> Finding:
    """SUSPEND on a running device that was not given the feature."""
    bench.start(suspend=False)
    device = bench.device
    with device.deviating("D1", "SUSPEND without its feature"):
        device.status.add(Status.SUSPEND)
    bench.sleep(bench.linger)
    status = device.status.read()
    device.status.note_resumed()
    return info(f"status reads {describe(status)}; {_moves(bench)}")


@check("I2")
def suspended_twice(bench: Bench) -> Finding:
    """SUSPEND once more while suspended, without DRIVER_OK in the byte; then the usual resume."""
    bench.start()
    window = bench.suspend()
    device = bench.device
    byte = window.transition.status | Status.SUSPEND
    with device.deviating("D7", "SUSPEND a second time, as the status reads now"):
        device.status.write(byte)
    after = bench.hold(bench.moment)
    status = after.status or 0
    if bench.dialect.is_running(status):
        device.status.note_resumed()
        return info(f"{byte:#04x} resumed the device: status {describe(status)}")
    transition = bench.resume()
    return info(
        f"after {byte:#04x} the status reads {describe(status)}; resumed in {transition.seconds * 1e3:.3f} ms",
        resume=transition.to_json(),
    )


@check("I3")
def suspended_from_the_start(bench: Bench) -> Finding:
    """DRIVER_OK and SUSPEND set by one write, the first of either."""
    bench.negotiate()
    bench.set_up_queues()
    device = bench.device
    with device.deviating("D1", "SUSPEND together with the first DRIVER_OK"):
        device.status.add(Status.DRIVER_OK | Status.SUSPEND)
    device.status.phase = Phase.RUNNING
    bench.sleep(bench.linger)
    status = device.status.read()
    if bench.dialect.is_suspended(status):
        return info(f"suspended at once: status {describe(status)}")
    device.status.note_resumed()
    bench.go()
    return info(f"status reads {describe(status)}; {_moves(bench)}")


@check("I5")
def needs_a_kick(bench: Bench) -> Finding:
    """Buffers are left waiting over a suspend; after resume, without a notification, they are served or not."""
    bench.start()
    bench.load()
    bench.suspend()
    bench.sleep(bench.moment)
    workload = bench.need_workload()
    workload.reap()
    waiting = workload.outstanding
    if not waiting:
        raise Skip("no buffer was left waiting over the suspend")
    bench.resume(kick=False)

    def served() -> bool:
        workload.reap()
        return not workload.outstanding

    try:
        # Not by drain(), which notifies once more before it gives up.
        limit = min(bench.limit(), max(bench.hold_time, 0.1))
        bench.device.wait_for(served, limit, doing="waiting without a notification")
    except DeviceGone:
        raise
    except DeviceError:
        left = workload.outstanding
        bench.suspender.kick_outstanding()
        try:
            bench.drain("waiting after a notification")
        except DeviceError as error:
            return info(
                f"{left} of {waiting} waiting buffers were not served after resume, not even after a notification: {error}"
            )
        return info(f"{left} of {waiting} waiting buffers were served only after a new notification")
    return info(f"all {waiting} waiting buffers were served without a new notification")


@check("I4")
def failed_while_suspended(bench: Bench) -> Finding:
    """FAILED while suspended; then reset."""
    bench.start()
    bench.suspend()
    device = bench.device
    # The byte that the status reads, without DRIVER_OK: with it the write would be a resume as well.
    with device.deviating("D7", "FAILED while suspended"):
        device.status.write(device.status.read() & ~Status.DRIVER_OK | Status.FAILED)
    bench.sleep(bench.moment)
    status = device.status.read()
    return info(f"status reads {describe(status)}")


@check("I8")
def queue_reset_while_suspended(bench: Bench) -> Finding:
    """queue_reset of the first queue while suspended."""
    device = bench.device
    if Feature.RING_RESET not in device.begin():
        raise Skip("the device does not offer RING_RESET")
    bench.start(extra=Features.of(Feature.RING_RESET))
    if device.negotiated is None or Feature.RING_RESET not in device.negotiated.accepted or not bench.queues:
        raise Skip("RING_RESET was not negotiated, or there is no queue")
    bench.suspend()
    index = min(bench.queues)
    with device.deviating("queue_reset", "queue reset while suspended"):
        device.transport.reset_queue(index)
    limit = min(bench.limit(), max(bench.hold_time, 0.1))
    polled = poll(lambda: not device.transport.queue_in_reset(index), YES, bench.clock, limit)
    enabled = device.transport.queue_enabled(index)
    status = device.status.read()
    ended = (
        f"queue_reset reads 0 after {polled.seconds * 1e3:.3f} ms" if polled.outcome else "queue_reset still reads 1"
    )
    return info(f"{ended}, queue_enable reads {int(enabled)}, status {describe(status)}")


@check("I6")
def how_long(bench: Bench) -> Finding:
    """The latencies of all suspends and resumes of this run."""
    if not any(transition.done for transition in bench.transitions):
        _one(bench)
    parts = []
    for kind in ("suspend", "resume"):
        latency = Latency.of(t for t in bench.transitions if t.kind == kind)
        if latency.count:
            low, middle, _, high = latency.quartet
            parts.append(
                f"{kind} {low * 1e3:.3f} to {high * 1e3:.3f} ms, median {middle * 1e3:.3f} ms ({latency.count} times)"
            )
    if not parts:
        raise Skip("no suspend came about in this run")
    return info("; ".join(parts))


@check("I7")
def on_the_way(bench: Bench) -> Finding:
    """Every value of the status between a SUSPEND write and "suspended", and between the resume write and "running"."""
    records = [*bench.history, *bench.records()]
    if not any(
        isinstance(record, Access)
        and record.name == "device_status"
        and record.kind == "write"
        and record.value & Status.SUSPEND
        for record in records
    ):
        _one(bench)
        records = [*bench.history, *bench.records()]
    seen: dict[str, set[int]] = {"suspend": set(), "resume": set()}
    way = ""
    for record in records:
        if not isinstance(record, Access) or record.name != "device_status" or record.deviation:
            continue
        if record.kind == "write":
            suspended = way == "suspended"
            way = (
                ""
                if record.value == 0
                else "resume"
                if suspended
                else "suspend"
                if record.value & Status.SUSPEND
                else ""
            )
        elif way in seen and record.kind == "read":
            done = (
                bench.dialect.is_suspended(record.value) if way == "suspend" else bench.dialect.is_running(record.value)
            )
            if done:
                way = "suspended" if way == "suspend" else ""
            else:
                seen[way].add(record.value)
    words = [
        f"{kind}: {', '.join(describe(value) for value in sorted(values)) or 'nothing in between'}"
        for kind, values in seen.items()
    ]
    return info("; ".join(words))


def _one(bench: Bench) -> None:
    """One suspend and resume, where no other check made any."""
    bench.start()
    bench.suspend()
    bench.resume()
