"""How a device notifies its driver: what was asked for, and for messages of MSI-X which way of seeing them works here."""

from __future__ import annotations

from typing import NamedTuple

from uvirtio.access.wait import YES, poll
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, DeviceGone
from uvirtio.messages import Way
from uvirtio.spec.dialects import AUTO
from uvirtio_drivers.workload import Workload

from .bring_up import BringUp
from .notified import NOTIFICATION_TIME

__all__ = ["Found", "find_way", "set_interrupts"]


#: Requests by which it is measured how late messages are; how much later they may be, in times of that and at most (s).
_MEASURED, _TIMES, _LATEST = 5, 20, 0.05
#: The least that is waited for where time is real: another process may not get its turn at once.
_LEAST = 0.002


class Found(NamedTuple):
    """The way in which messages of MSI-X are seen best (None: in none), and a sentence about it.

    ``lag``: how long a message may be on its way after the used buffer can be seen (s).
    """

    way: Way | None
    text: str
    lag: float = 0.0


def set_interrupts(bring_up: BringUp) -> None:
    """Have a device notify as the options say; by ``auto`` messages only where there is no INTx. It is in reset afterwards.

    What was found out is among the remarks. Raises :class:`CannotRun` where MSI-X was asked for and cannot be had, and a
    :class:`DeviceError`.
    """
    device, asked = bring_up.device, bring_up.options.interrupts
    if asked == "none":
        device.use_polling()
    elif asked == "msix" or (asked == AUTO and not device.notifications.line.present):
        found = find_way(bring_up)
        if found.way is not None:
            device.use_messages(found.way, lag=found.lag)
        elif asked == "msix":
            raise CannotRun(f"{device.function.locator}: {found.text}")
        bring_up.remarks.append(found.text)


def find_way(bring_up: BringUp) -> Found:
    """Find out by a request whether messages of MSI-X are seen, and how. The device is in reset afterwards, without MSI-X.

    Raises :class:`DeviceGone`, and a :class:`DeviceError` where it does not reset.
    """
    device = bring_up.device
    try:
        device.reset()
        found = _tried(bring_up)
        return found if found.way is None else found._replace(lag=_lag(bring_up, found.way))
    except DeviceGone:
        raise
    except (CannotRun, DeviceError) as error:
        return Found(None, f"MSI-X is not used: {error}")
    finally:
        bring_up.forget()
        device.reset()
        device.use_interrupts()


def _tried(bring_up: BringUp) -> Found:
    device = bring_up.device
    device.use_messages()
    assert device.messages is not None, "they are used"
    if device.messages.way is Way.EVENTS:
        if _shown(device, _started(bring_up)):
            return Found(Way.EVENTS, f"MSI-X: {Way.EVENTS.value} show a request")
        bring_up.forget()
        device.reset()
    device.use_messages(Way.PENDING)
    workload = _started(bring_up)
    _request(device, workload)
    seen = device.messages.compare(NOTIFICATION_TIME)
    memory, pending = seen.memory, seen.pending and seen.taken_back
    if not memory:
        # A device may lose what it cannot send at once, and send all the same.
        bring_up.forget()
        device.reset()
        device.use_messages(Way.MEMORY)
        memory = _shown(device, _started(bring_up))
    return _said(memory, pending, seen.pending)


def _said(memory: bool, pending: bool, stuck: bool) -> Found:
    if memory and pending:
        return Found(
            Way.MEMORY, "MSI-X: a request shows as a message into memory, and as a pending bit where it is masked"
        )
    if memory:
        why = "cannot be taken back" if stuck else "are not shown"
        return Found(Way.MEMORY, f"MSI-X: a request shows as a message into memory; pending bits {why}")
    if pending:
        return Found(Way.PENDING, "MSI-X: a request shows as a pending bit; its message does not arrive in memory")
    return Found(None, "MSI-X is not used: a request showed neither as a message into memory nor as a pending bit")


def _started(bring_up: BringUp) -> Workload:
    bring_up.start(suspend=False)
    if bring_up.workload is None:
        raise CannotRun(bring_up.unmoved)
    return bring_up.workload


def _request(device: Device, workload: Workload) -> None:
    """One request, which is notified and not looked at. Raises :class:`CannotRun` when it does not come back."""
    workload.submit(1)
    workload.kick()

    def returned() -> bool:
        workload.reap()
        return not workload.outstanding

    if not poll(returned, YES, device.clock, device.timeout).outcome:
        raise CannotRun("the request that was to show it did not come back")


def _lag(bring_up: BringUp, way: Way) -> float:
    """Measure how long after a used buffer its message comes, and allow for more."""
    device = bring_up.device
    if device.clock.simulated:
        return 0.0
    bring_up.forget()
    device.reset()
    device.use_messages(way)
    workload, latest = _started(bring_up), 0.0
    for _ in range(_MEASURED):
        device.notifications.collect()
        _request(device, workload)
        waited = poll(
            lambda: device.notifications.collect() != 0, YES, device.clock, NOTIFICATION_TIME, ceiling=_LEAST / 4
        )
        latest = max(latest, waited.seconds)
    return min(max(_TIMES * latest, _LEAST), _LATEST)


def _shown(device: Device, workload: Workload) -> bool:
    _request(device, workload)
    told = device.notifications
    return bool(poll(lambda: told.collect() != 0, YES, device.clock, NOTIFICATION_TIME).outcome)
