"""What virtio 1.4 leaves unspecified about a suspended device: tried, and reported."""

from __future__ import annotations

from uvirtio.access.wait import YES, poll
from uvirtio.spec.features import Feature, Features
from uvirtio.spec.status import Status

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import DANGEROUS, scenario

__all__: list[str] = []


@scenario("SUSPEND a second time", "I2", dialects=("1.4",))
def twice(stage: Stage) -> None:
    """SUSPEND once more while suspended, without DRIVER_OK in the byte; then the usual resume."""
    stage.start()
    transition = stage.sleeper.suspend()
    device = stage.device
    byte = transition.status | Status.SUSPEND
    with device.deviating("D7", "SUSPEND a second time, as the status reads now"):
        device.status.write(byte)
    after = stage.sleeper.hold(stage.sleeper.moment)
    stage.read(names.SECOND, byte)
    stage.read(names.SECOND_STATUS, after.status or 0)
    if stage.dialect.is_running(after.status or 0):
        device.status.note_resumed()
    else:
        stage.sleeper.resume()


@scenario("reset a queue of a suspended device", "I8", dialects=("1.4",), order=DANGEROUS)
def queue_reset(stage: Stage) -> None:
    """queue_reset of the first queue while suspended."""
    device = stage.device
    if Feature.RING_RESET not in device.begin():
        raise Skip("the device does not offer RING_RESET")
    stage.start(extra=Features.of(Feature.RING_RESET))
    if device.negotiated is None or Feature.RING_RESET not in device.negotiated.accepted or not device.queues:
        raise Skip("RING_RESET was not negotiated, or there is no queue")
    stage.sleeper.suspend()
    index = min(device.queues)
    with device.deviating("queue_reset", "queue reset while suspended"):
        device.transport.reset_queue(index)
    limit = min(stage.deadline.limit(), max(stage.options.hold, 0.1))
    polled = poll(lambda: not device.transport.queue_in_reset(index), YES, device.clock, limit)
    stage.read(names.IN_RESET, int(not polled.outcome))
    stage.read(names.RESETTING, polled.seconds)
    stage.read(names.ENABLE, int(device.transport.queue_enabled(index)))
    stage.read(names.THEN, device.status.read())
