"""Reset of a suspended device (V15), the notification of its failure (V14), and status writes of the RFC (R5)."""

from __future__ import annotations

from dataclasses import dataclass

from uvirtio.access.dma import Dma
from uvirtio.errors import DeviceTimeout, DriverMisuse, NegotiationFailed
from uvirtio.spec.status import Status, describe
from uvirtio.status import DONE, status_table

from ..judging.looks import changed
from ..judging.outcomes import NotResumed, NotSuspended, NotWorking, Refused
from ..judging.verdict import Finding, Skip, Verdict, failed, passed
from .asleep import moved_indices
from .bench import Bench
from .registry import check

__all__: list[str] = []

#: A bus address where no memory is: the top of the 64-bit space.
_NOWHERE = 0xFFFF_FFFF_FFFF_0000
_NEEDS_RESET = status_table(lambda value: bool(value & Status.DEVICE_NEEDS_RESET), refusal=False)


@check("V15")
def resets_while_suspended(bench: Bench) -> Finding:
    """0 is written to a suspended device with buffers waiting: status and queues are reset, nothing moves, and it starts anew."""
    bench.start()
    bench.load()
    device = bench.device
    accepted = device.negotiated.accepted if device.negotiated else None
    window = bench.suspend()
    indices = list(bench.queues)
    # What waits now is the driver's again once the status reads 0, and has to be as it is: a look at that moment would come
    # too late for what the reset itself does.
    asleep = bench.look()
    evidence = window.to_json() | {"last": asleep.to_json()}
    expected = "status 0, queue_enable 0, no activity, and then a device that can be initialised and moves data"
    try:
        polled = device.reset(bench.limit())
    except DeviceTimeout as late:
        return failed(
            f"not reset within {bench.timeout:g} s", expected, f"status {describe(late.value or 0)}", **evidence
        )
    enabled = [index for index in indices if device.transport.queue_enabled(index)]
    left = device.transport.driver_features()
    after = bench.hold(bench.hold_time / 2)
    evidence |= {"reset_seconds": polled.seconds, "after": after.to_json()}
    observed = [f"queue {index}: queue_enable still reads 1" for index in enabled]
    observed += moved_indices(asleep, after)
    observed += [f"{name} changed over the reset" for name in changed(asleep, after)]
    if after.queue_bits > asleep.queue_bits or after.config_bits > asleep.config_bits:
        observed.append(
            f"ISR showed bits after the reset ({after.isr:#x})" if after.isr else "ISR showed bits after the reset"
        )
    if observed:
        return failed("the reset of a suspended device is incomplete", expected, "; ".join(observed), **evidence)
    bench.forget_workload()
    remarks = [] if not left else [f"driver_feature reads {left} after the reset"]
    try:
        bench.start(reset=False)
    except NotWorking as error:
        if isinstance(error.__cause__, NegotiationFailed):
            words = "the same features do not negotiate again after the reset"
            return Finding(Verdict.WARN, words, expected, str(error), evidence, remarks)
        return failed("the device does not work after the reset", expected, str(error), **evidence)
    again = device.negotiated.accepted if device.negotiated else None
    if again != accepted:
        return Finding(
            Verdict.WARN,
            "other features than before were negotiated after the reset",
            f"{accepted}",
            f"{again}",
            evidence,
            remarks,
        )
    finding = passed(
        f"reset in {polled.seconds * 1e3:.3f} ms, initialised again with the same features, data moves", **evidence
    )
    finding.remarks += remarks
    return finding


@dataclass(frozen=True, slots=True)
class _Failure:
    """How the device failed: the status that first showed it, and configuration bits seen in ISR before."""

    status: int
    how: str
    seen: int


@check("V14")
def tells_of_failure(bench: Bench) -> Finding:
    """Where a suspend, a resume or a buffer at an impossible address makes it fail: ISR bit 1 follows, if DRIVER_OK was set."""
    bench.start()
    if bench.workload is not None:
        bench.need_queue_bit()
    failure = _failure(bench)
    status, how = failure.status, failure.how
    evidence: dict[str, object] = {"status": f"{status:#04x}", "provoked_by": how}
    if not status & Status.DRIVER_OK:
        raise Skip(
            f"{how}; the status that first showed it ({describe(status)}) has DRIVER_OK=0, so no notification was owed"
        )
    if not bench.await_config_bit(failure.seen):
        return failed(
            "DEVICE_NEEDS_RESET was set without a configuration change notification", f"ISR bit 1 within {bench.timeout:g} s",
            f"{how}: status {describe(status)}, ISR bit 1 not within {bench.timeout:g} s", **evidence,
        )  # fmt: skip
    return passed(f"{how}: status {describe(status)}, and ISR bit 1 came", **evidence)


def _failure(bench: Bench) -> _Failure:
    """Bring the device to DEVICE_NEEDS_RESET. Raises :class:`Skip` when it does not get there."""
    isr = bench.device.notifications
    isr.collect()
    seen = isr.config
    try:
        bench.suspend()
        seen = isr.config
        bench.resume(kick=False)
    except Refused as refusal:
        if refusal.transition.status & Status.DRIVER_OK:
            return _Failure(refusal.transition.status, f"asked to {refusal.transition.kind}, the device failed", seen)
    except (NotSuspended, NotResumed):
        pass
    bench.start()
    return _provoke(bench)


def _provoke(bench: Bench) -> _Failure:
    """Publish a buffer where no memory is: a device should fail on that, and need not."""
    if not bench.provoke:
        raise Skip(
            "the device did not fail by itself; on a real machine it is given a buffer at an address where no memory should "
            "be only with --provoke, since a write to a wrong address may do harm there"
        )
    device = bench.device
    answering = [index for index in bench.queues if bench.answers(index)]
    if not answering:
        raise Skip("the device did not fail, and has no queue through which it could be made to")
    device.notifications.collect()
    seen = device.notifications.config
    buffer = Dma(None, memoryview(bytearray(64)), _NOWHERE, 0)
    queue = bench.queues[answering[0]]
    with device.deviating("ring", "a buffer at an address where no memory is, to make the device fail"):
        try:
            queue.add((buffer,), (buffer,))
            queue.publish(notify=False)
            queue.kick()
        except DriverMisuse as error:
            raise Skip(f"the device could not be made to fail: {error}") from error
    polled = device.status.await_(_NEEDS_RESET, min(bench.limit(), max(bench.hold_time, 1.0)))
    if polled.outcome != DONE:
        raise Skip(
            "the device did not set DEVICE_NEEDS_RESET, not even for a buffer at an address where no memory is "
            "(there it should, and need not)"
        )
    return _Failure(polled.value, "given a buffer at an address where no memory is, the device failed", seen)


@check("R5")
def takes_status_writes(bench: Bench) -> Finding:
    """While suspended FAILED is written and reads back, and 0 resets."""
    bench.start()
    bench.suspend()
    device = bench.device
    # Without DRIVER_OK: with it the write would be a resume as well.
    with device.deviating("D7", "FAILED, to see whether status writes are taken while suspended"):
        device.status.write(device.status.read() & ~Status.DRIVER_OK | Status.FAILED)
    bench.sleep(bench.hold_time)
    status = device.status.read()
    observed = [] if status & Status.FAILED else [f"FAILED was written, status reads {describe(status)}"]
    try:
        device.reset(bench.limit())
    except DeviceTimeout as late:
        observed.append(f"0 was written, status reads {describe(late.value or 0)}")
    if observed:
        return failed(
            "status writes are not taken while suspended", "FAILED reads back, and 0 resets", "; ".join(observed)
        )
    return passed(f"FAILED read back ({describe(status)}), and 0 reset the device")
