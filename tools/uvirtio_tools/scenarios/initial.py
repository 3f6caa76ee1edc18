"""Before a device is initialised completely: SUSPEND is written too early, buffers are published too early."""

from __future__ import annotations

from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DeviceTimeout, DriverMisuse
from uvirtio.spec.dialects import RFC
from uvirtio.spec.status import GONE, Status
from uvirtio.status import Phase

from ..driving.notified import SETTLE
from ..judging import names
from ..judging.ends import Skip
from ..judging.events import Loaded
from ..judging.stage import Stage
from . import scenario

__all__ = ["poke"]


def poke(stage: Stage, duty: str, when: str, wait: float = SETTLE) -> bool:
    """Write the status with SUSPEND added, and read it, once more ``wait`` s later; whether it was ignored."""
    device = stage.device
    with device.deviating(duty, f"SUSPEND {when} must be ignored"):
        device.status.add(Status.SUSPEND)
    status = device.status.read()
    if not status & Status.SUSPEND:
        # A device may be slow to show it.
        stage.sleeper.sleep(wait)
        status = device.status.read()
    device.status.note_resumed()
    stage.read(names.POKED + when, status)
    return status == GONE or not status & (Status.SUSPEND | Status.DEVICE_NEEDS_RESET)


@scenario("SUSPEND at every stage of the initialisation", "V1", "R3")
def staged(stage: Stage) -> None:
    """Status | SUSPEND after each step. The RFC lets it mean something from FEATURES_OK on."""
    late, duty = stage.dialect is not RFC, "R1" if stage.dialect is RFC else "D1"
    stage.start()
    stage.traffic.need()
    device, bring_up = stage.device, stage.bring_up
    device.reset()
    bring_up.forget()
    ignored = [poke(stage, duty, "after reset")]
    device.status.add(Status.ACKNOWLEDGE)
    ignored.append(poke(stage, duty, "after ACKNOWLEDGE"))
    device.status.add(Status.DRIVER)
    ignored.append(poke(stage, duty, "after DRIVER"))
    device.status.phase = Phase.ACKNOWLEDGED
    device.offered = device.transport.device_features()
    try:
        bring_up.accept()
        if late:
            ignored.append(poke(stage, duty, "after FEATURES_OK"))
        bring_up.set_up_queues()
        if late:
            wait = max(stage.options.hold, stage.sleeper.linger)
            ignored.append(poke(stage, duty, "with the queues enabled, before DRIVER_OK", wait))
        if all(ignored):
            device.driver_ok()
            stage.read(names.POKED + "after DRIVER_OK", device.status.read())
            bring_up.go()
            stage.traffic.run(names.FINISHED)
            stage.read(names.POKED + "after traffic", device.status.read())
    except DeviceGone:
        raise
    except DeviceError as error:
        stage.traffic.note(names.FINISHED, error)


@scenario("publish buffers before DRIVER_OK", "V13", dialects=())
def early(stage: Stage) -> None:
    """Buffers are published before the first DRIVER_OK: without a notification, and then with one, which no driver may send."""
    _publish_early(stage, notify=False)
    stage.history.go_on()
    _publish_early(stage, notify=True)


def _publish_early(stage: Stage, *, notify: bool) -> None:
    stage.start()
    stage.traffic.need()
    stage.sleeper.wake()
    device, bring_up = stage.device, stage.bring_up
    device.begin()
    bring_up.forget()
    bring_up.accept()
    bring_up.set_up_queues()
    assert bring_up.driver_class is not None
    assert bring_up.workload_class is not None
    patience, device.timeout = device.timeout, min(device.timeout, max(stage.options.hold, 0.1))
    try:
        driver = bring_up.driver_class(device)
        # A workload that needs nothing from the device to begin with.
        workload = bring_up.workload_class.harmless(driver)
        # A look after the publish would come too late for a device that polls.
        stage.sleeper.look("empty")
        published = workload.submit()
    except (DriverMisuse, CannotRun, DeviceTimeout) as error:
        raise Skip(f"this driver can publish nothing before DRIVER_OK: {error}") from error
    finally:
        device.timeout = patience
    if not published:
        raise Skip("this driver has nothing to publish before DRIVER_OK")
    bring_up.driver, bring_up.workload = driver, workload
    stage.history.add(Loaded(stage.history.now(), published, 0, workload.outstanding))
    stage.sleeper.look("published")
    if notify:
        with device.deviating("early", "a notification before DRIVER_OK must have no effect"):
            for queue in device.queues.values():
                queue.kick()
    stage.sleeper.hold(stage.options.hold / 2, "before DRIVER_OK")
    device.driver_ok()
    driver.start()
    workload.kick()
    stage.traffic.try_drain(names.EARLY)


@scenario("SUSPEND without its feature", "I1", "R4", dialects=("1.4", "rfc"))
def not_negotiated(stage: Stage) -> None:
    """SUSPEND on a running device that was not given the feature."""
    stage.start(suspend=False)
    if stage.dialect is RFC:
        stage.traffic.need()
        poke(stage, "D1", "without the feature", max(stage.options.hold, stage.sleeper.linger))
    else:
        poke(stage, "D1", "without the feature", stage.sleeper.linger)
    if stage.traffic.workload is not None:
        stage.traffic.try_run(names.ODD)


@scenario("SUSPEND together with the first DRIVER_OK", "I3", dialects=("1.4",))
def together(stage: Stage) -> None:
    """DRIVER_OK and SUSPEND set by one write, the first of either."""
    device, bring_up = stage.device, stage.bring_up
    stage.sleeper.wake()
    device.begin()
    bring_up.forget()
    bring_up.accept()
    bring_up.set_up_queues()
    with device.deviating("D1", "SUSPEND together with the first DRIVER_OK"):
        device.status.add(Status.DRIVER_OK | Status.SUSPEND)
    device.status.phase = Phase.RUNNING
    stage.sleeper.sleep(stage.sleeper.linger)
    status = device.status.read()
    stage.read(names.POKED + "with the first DRIVER_OK", status)
    if stage.dialect.is_suspended(status):
        return
    device.status.note_resumed()
    bring_up.go()
    if stage.traffic.workload is not None:
        stage.traffic.try_run(names.ODD)
