"""Reset of a suspended device, and status writes that a suspended device is not spoken of."""

from __future__ import annotations

from uvirtio.errors import DeviceTimeout, NegotiationFailed
from uvirtio.spec.status import Status

from ..judging import names
from ..judging.ends import NotWorking
from ..judging.stage import Stage
from . import scenario

__all__: list[str] = []


def _reset(stage: Stage) -> bool:
    """Write 0 and wait; whether it came about."""
    try:
        polled = stage.device.reset(stage.deadline.limit())
    except DeviceTimeout as late:
        stage.read(names.NO_RESET, late.value or 0)
        return False
    stage.read(names.RESET, polled.seconds)
    return True


@scenario("reset a suspended device under load", "V15")
def loaded(stage: Stage) -> None:
    """0 is written to a suspended device with buffers waiting; then it is initialised again."""
    stage.start()
    stage.traffic.load()
    device = stage.device
    _note_accepted(stage)
    stage.sleeper.suspend()
    queues = dict(stage.sleeper.watched_queues())
    # What waits now is the driver's again once the status reads 0, and has to be as it is: a look at that moment would come
    # too late for what the reset itself does.
    stage.sleeper.look("before the reset", status=True)
    if not _reset(stage):
        return
    for index in queues:
        stage.read(f"{names.ENABLED}{index}", int(device.transport.queue_enabled(index)))
    stage.read(names.DRIVER_FEATURE, device.transport.driver_features())
    stage.sleeper.sleep(stage.options.hold / 2)
    stage.sleeper.look("after the reset", status=True, queues=queues)
    stage.bring_up.forget()
    try:
        stage.start(reset=False)
    except NotWorking as error:
        cause = error.__cause__
        stage.traffic.note(names.AGAIN, cause if isinstance(cause, NegotiationFailed) else error)
        return
    _note_accepted(stage)


def _note_accepted(stage: Stage) -> None:
    negotiated = stage.device.negotiated
    stage.read(names.ACCEPTED, negotiated.accepted if negotiated is not None else "none")


@scenario("FAILED while suspended", "I4", "R5", dialects=("1.4", "rfc"), order=2)
def failed(stage: Stage) -> None:
    """FAILED is written to a suspended device, then 0."""
    stage.start()
    stage.sleeper.suspend()
    device = stage.device
    # The byte that the status reads, without DRIVER_OK: with it the write would be a resume as well.
    with device.deviating("D7", "FAILED while suspended"):
        device.status.write(device.status.read() & ~Status.DRIVER_OK | Status.FAILED)
    stage.sleeper.sleep(stage.options.hold)
    stage.read(names.WRITTEN_ASLEEP, device.status.read())
    _reset(stage)
