"""Before the device is initialised completely: SUSPEND is ignored (V1, R3, R4), nothing is consumed (V13)."""

from __future__ import annotations

from uvirtio.errors import CannotRun, DeviceError, DeviceGone, DeviceTimeout, DriverMisuse
from uvirtio.spec.status import GONE, Status, describe
from uvirtio.status import Phase
from uvirtio_drivers import find_workload

from ..driving.notified import SETTLE
from ..judging.looks import changed
from ..judging.verdict import Finding, Skip, failed, passed
from .asleep import moved_indices
from .bench import Bench
from .registry import check

__all__: list[str] = []


def _poke(bench: Bench, duty: str, stage: str, wait: float = SETTLE) -> str:
    """Write the status with SUSPEND added, and look again ``wait`` s later; what reads back wrongly, empty if nothing does."""
    device = bench.device
    with device.deviating(duty, f"SUSPEND {stage} must be ignored"):
        device.status.add(Status.SUSPEND)
    status = device.status.read()
    if not status & Status.SUSPEND:
        # A device may be slow to show it.
        bench.sleep(wait)
        status = device.status.read()
    device.status.note_resumed()
    if wrong := _showing(status, stage):
        return wrong
    if status & Status.DEVICE_NEEDS_RESET and status != GONE:
        return f"{stage}: the device set DEVICE_NEEDS_RESET: {describe(status)}"
    return ""


def _staged(bench: Bench, duty: str, *, late: bool) -> Finding:
    """SUSPEND at each stage of one initialisation; ``late``: also between FEATURES_OK and DRIVER_OK."""
    bench.start()
    bench.need_workload()
    device = bench.device
    device.reset()
    bench.forget_workload()
    wrong = [_poke(bench, duty, "after reset")]
    device.status.add(Status.ACKNOWLEDGE)
    wrong.append(_poke(bench, duty, "after ACKNOWLEDGE"))
    device.status.add(Status.DRIVER)
    wrong.append(_poke(bench, duty, "after DRIVER"))
    device.status.phase = Phase.ACKNOWLEDGED
    device.offered = device.transport.device_features()
    expected = "bit 16 never reads back, the initialisation finishes, and data moves"
    try:
        bench.accept()
        if late:
            wrong.append(_poke(bench, duty, "after FEATURES_OK"))
        bench.set_up_queues()
        if late:
            wrong.append(
                _poke(bench, duty, "with the queues enabled, before DRIVER_OK", max(bench.hold_time, bench.linger))
            )
        if not any(wrong):
            wrong += _finish(bench)
    except DeviceGone:
        raise
    except DeviceError as error:
        wrong.append(f"the initialisation did not finish, or no data moved: {error}")
    if observed := "; ".join(filter(None, wrong)):
        return failed("SUSPEND was not ignored before the device was initialised", expected, observed)
    return passed(
        f"SUSPEND was ignored at {5 if late else 3} stages of the initialisation, which finished and moved data"
    )


def _finish(bench: Bench) -> list[str]:
    """DRIVER_OK and traffic after SUSPEND was ignored so far; whether it shows up now."""
    device = bench.device
    device.driver_ok()
    wrong = [_showing(device.status.read(), "after DRIVER_OK")]
    bench.go()
    bench.traffic("traffic after an initialisation with SUSPEND at every stage")
    return [*wrong, _showing(device.status.read(), "after traffic")]


def _showing(status: int, when: str) -> str:
    """What is wrong with a status that shows SUSPEND before its time, empty where it does not."""
    return f"{when}: status reads {describe(status)}" if status & Status.SUSPEND and status != GONE else ""


@check("V1")
def ignored_before_driver_ok(bench: Bench) -> Finding:
    """Status | SUSPEND at every stage; bit 16 must not read back, and the initialisation must still work."""
    return _staged(bench, "D1", late=True)


@check("R3")
def ignored_before_features_ok(bench: Bench) -> Finding:
    """Status | SUSPEND at the stages before FEATURES_OK."""
    return _staged(bench, "R1", late=False)


@check("R4")
def ignored_when_not_negotiated(bench: Bench) -> Finding:
    """SUSPEND on a running device that was not given the feature: the bit must not read back, traffic goes on."""
    bench.start(suspend=False)
    bench.need_workload()
    wrong = _poke(bench, "D1", "without the feature", max(bench.hold_time, bench.linger))
    if not wrong:
        wrong, _ = bench.move_data("traffic after a SUSPEND that was not negotiated")
    if wrong:
        return failed(
            "SUSPEND was not ignored although its feature was not negotiated",
            "bit 16 does not read back, data moves",
            wrong,
        )
    return passed("SUSPEND did not read back, and traffic went on")


@check("V13")
def waits_for_driver_ok(bench: Bench) -> Finding:
    """Buffers published before the first DRIVER_OK, without a kick, stay untouched until then; afterwards they are served."""
    bench.start()
    bench.need_workload()
    bench.negotiate()
    bench.set_up_queues()
    assert bench.driver_class is not None
    device = bench.device
    patience, device.timeout = device.timeout, min(device.timeout, max(bench.hold_time, 0.1))
    try:
        driver = bench.driver_class(device)
        workload = find_workload(driver.TYPE).harmless(driver)
        # A look after the publish would come too late for a device that polls.
        empty = bench.look()
        published = workload.submit()
    except (DriverMisuse, CannotRun, DeviceTimeout) as error:
        raise Skip(f"this driver can publish nothing before DRIVER_OK: {error}") from error
    finally:
        device.timeout = patience
    if not published:
        raise Skip("this driver has nothing to publish before DRIVER_OK")
    bench.driver, bench.workload = driver, workload
    before = bench.look()
    bench.sleep(bench.hold_time / 2)
    after = bench.look(status=True)
    evidence: dict[str, object] = {"before": before.to_json(), "after": after.to_json(), "published": published}
    expected = "buffers, rings and ISR stay untouched before DRIVER_OK"
    # A device may set up its side of a ring early; taking buffers is what it must not do.
    observed = [*moved_indices(empty, after), *changed(before, after, buffers_only=True)]
    if after.queue_bits > empty.queue_bits:
        observed.append("ISR bit 0 was set")
    if observed:
        return failed("buffers were consumed, or notified, before DRIVER_OK", expected, "; ".join(observed), **evidence)
    device.driver_ok()
    driver.start()
    workload.kick()
    try:
        bench.drain("the buffers that were published before DRIVER_OK")
    except DeviceGone:
        raise
    except DeviceError as error:
        raise Skip(f"the buffers stayed untouched, but were not served after DRIVER_OK either: {error}") from error
    return passed(
        f"{published} buffers stayed untouched for {bench.hold_time / 2:g} s before DRIVER_OK, and were served after it",
        **evidence,
    )
