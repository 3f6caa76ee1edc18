"""A device that sets DEVICE_NEEDS_RESET: by itself when it is asked to suspend or resume, or because it is made to fail."""

from __future__ import annotations

from uvirtio.access.dma import Dma
from uvirtio.errors import DriverMisuse
from uvirtio.spec.status import Status
from uvirtio.status import DONE, status_table

from ..judging import names
from ..judging.ends import NotResumed, NotSuspended, Refused, Skip
from ..judging.stage import Stage
from . import DANGEROUS, scenario

__all__: list[str] = []

#: A bus address where no memory is: the top of the 64-bit space.
_NOWHERE = 0xFFFF_FFFF_FFFF_0000
_FAILED = status_table(lambda value: bool(value & Status.DEVICE_NEEDS_RESET), refusal=False)


@scenario("make the device fail", "V14", dialects=(), order=DANGEROUS, each_way=True)
def fails(stage: Stage) -> None:
    """Where it fails on a suspend, a resume or a buffer at an impossible address: is its notification sent?"""
    stage.start()
    control = stage.traffic.control
    if stage.traffic.workload is not None and control is not None:
        if control.sticky:
            raise Skip("reading ISR does not clear it on this device (4.1.4.5), so what it shows may be old")
        if not control.used:
            raise Skip(
                "on the running device, traffic did not show as ISR bit 0 alone, so its absence would say nothing"
            )
    status, how, seen = _bring_to_failure(stage)
    stage.read(names.HOW, how)
    stage.read(names.NEEDS_RESET, status)
    if status & Status.DRIVER_OK:
        stage.traffic.config_notified(seen, names.TOLD)


def _bring_to_failure(stage: Stage) -> tuple[int, str, int]:
    """The status that first showed it, how it came about, and configuration notifications seen before.

    Raises :class:`Skip` where the device does not get there.
    """
    told = stage.device.notifications
    told.collect()
    seen = told.config
    if stage.bring_up.dialect is not None:
        try:
            stage.sleeper.suspend()
            seen = told.config
            stage.sleeper.resume(kick=False)
        except Refused as refusal:
            if refusal.transition.status & Status.DRIVER_OK:
                return refusal.transition.status, f"asked to {refusal.transition.kind}, the device failed", seen
        except (NotSuspended, NotResumed):
            pass
        stage.start()
    return _provoke(stage)


def _provoke(stage: Stage) -> tuple[int, str, int]:
    """Publish a buffer where no memory is: a device should fail on that, and need not."""
    if not stage.may_provoke:
        raise Skip(
            "the device did not fail by itself; on a real machine it is given a buffer at an address where no memory should "
            "be only with --provoke, since a write to a wrong address may do harm there"
        )
    device = stage.device
    if not stage.traffic.answering:
        raise Skip("the device did not fail, and has no queue through which it could be made to")
    device.notifications.collect()
    seen = device.notifications.config
    buffer = Dma(None, memoryview(bytearray(64)), _NOWHERE, 0)
    queue = device.queues[stage.traffic.answering[0]]
    with device.deviating("ring", "a buffer at an address where no memory is, to make the device fail"):
        try:
            queue.add((buffer,), (buffer,))
            queue.publish(notify=False)
            queue.kick()
        except DriverMisuse as error:
            raise Skip(f"the device could not be made to fail: {error}") from error
    polled = device.status.await_(_FAILED, min(stage.deadline.limit(), max(stage.options.hold, 1.0)))
    if polled.outcome != DONE:
        raise Skip(
            "the device did not set DEVICE_NEEDS_RESET, not even for a buffer at an address where no memory is "
            "(there it should, and need not)"
        )
    return polled.value, "given a buffer at an address where no memory is, the device failed", seen
