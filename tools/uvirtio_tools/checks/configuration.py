"""The configuration of a suspended device: writes (V2), changes (V5), and their notification (V6, V7)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from uvirtio.errors import CannotRun, ConfigurationUnstable, DeviceError

from ..judging.looks import read_configuration
from ..judging.verdict import Finding, Skip, failed, info, passed
from .asleep import still
from .bench import Bench
from .registry import check

__all__ = ["Changer"]

_ALL_ONES = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}


@check("V2")
def ignores_configuration_writes(bench: Bench) -> Finding:
    """A field that takes a write while running keeps its value when it is written while suspended."""
    field = bench.driver_class.WRITABLE if bench.driver_class is not None else None
    name = bench.device.identity.type_name
    if field is None:
        raise Skip(f"a {name} device has no configuration field that may be written to see whether that takes")
    bench.start()
    device, offset, width = bench.device, field.offset, field.width
    if device.negotiated is None or not field.exists(device.negotiated.accepted):
        raise Skip(
            f"the device does not offer the feature that {field.name} needs, and has no other field that may be written"
        )
    before = device.configuration.read(offset, width)
    other = field.other(before)
    device.configuration.write(offset, width, other)
    taken = device.configuration.read(offset, width)
    device.configuration.write(offset, width, before)
    if taken != other or device.configuration.read(offset, width) != before:
        raise Skip(
            f"while running, {field.name} reads {taken:#x} after {other:#x} was written to it: it takes no write anyway"
        )
    bench.suspend()
    with device.deviating("D5", "a configuration write while suspended should have no effect"):
        device.configuration.write(offset, width, other)
    meanwhile = device.configuration.read(offset, width)
    evidence: dict[str, object] = {"field": field.name, "before": before, "written": other, "suspended": meanwhile}
    if meanwhile == other and meanwhile != _ALL_ONES[width]:
        return failed(
            f"{field.name} took a write while suspended",
            f"{field.name} stays {before:#x}",
            f"it reads {meanwhile:#x}",
            **evidence,
        )
    bench.resume(kick=False)
    afterwards = device.configuration.read(offset, width)
    evidence["resumed"] = afterwards
    if afterwards == other:
        return failed(
            f"a write to {field.name} while suspended took effect on resume", f"{field.name} stays {before:#x}",
            f"it reads {afterwards:#x}", **evidence,
        )  # fmt: skip
    return passed(f"{field.name} kept its value while suspended and after resume", **evidence)


# -- changes by the host side ---------------------------------------------------------------------------------------

#: Triggers that change a device's configuration, best first, with arguments that make each call a change.
_CHANGES: dict[str, Callable[[int], dict[str, object]]] = {
    "change_config": lambda _number: {},
    "set_link": lambda number: {"up": number % 2 == 1},
    "resize": lambda _number: {},
    "block_resize": lambda _number: {},
    "balloon": lambda _number: {},
}


class Changer:
    """Has the host side change the configuration, again and again; knows whether that shows and is notified."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._fired = 0
        triggers = bench.triggers
        available = triggers.available() if triggers is not None else frozenset()
        self.name = next((name for name in _CHANGES if name in available), "")
        #: Shown while running: the change can be read, and ISR bit 1 came.
        self.shows = False
        self.notifies = False

    def change(self) -> None:
        """Ask for one change. Raises :class:`Skip` where it cannot be had."""
        self._need_trigger()
        try:
            self._fire()
        except CannotRun as error:
            raise Skip(f"the host side was asked to change the configuration ({self.name}): {error}") from error

    def _need_trigger(self) -> None:
        if not self.name or self.bench.triggers is None:
            raise Skip("the host side cannot be asked to change the configuration here (no trigger)")

    def _fire(self) -> None:
        if not self._fired:
            self.bench.cleanups.append(self._restore)
        assert self.bench.triggers is not None
        self.bench.triggers.fire(self.name, **_CHANGES[self.name](self._fired))
        self._fired += 1

    def _restore(self) -> None:
        """Most of these changes go to and fro: an odd one (a link that is down) is not left behind."""
        if self._fired % 2:
            self._fire()

    def prove(self) -> None:
        """The positive control, on the running device."""
        bench = self.bench
        device = bench.device
        self._need_trigger()
        device.notifications.collect()
        before, seen = read_configuration(device), device.notifications.config
        self.change()
        # Where ISR has shown nothing at all so far, the full time would only be lost.
        silent = bench.control is not None and not bench.control.queue_bit and not device.notifications.config
        self.notifies = bench.await_config_bit(seen, bench.hold_time if silent else None)
        self.shows = read_configuration(device) != before
        bench.sleep(bench.hold_time / 4)
        device.notifications.collect()

    def require(self, *, shows: bool = False, notifies: bool = False) -> None:
        """Raise :class:`Skip` where the control did not show what the verdict would rest on."""
        if shows and not self.shows:
            raise Skip(f"{self.name} did not change the configuration of the running device, so nothing can be shown")
        if notifies and not self.notifies:
            raise Skip(f"{self.name} did not set ISR bit 1 on the running device, so its absence would say nothing")

    def optional(self) -> bool:
        """Run the control where there is a trigger; whether there is one."""
        if not self.name:
            return False
        self.prove()
        return True


def _need_configuration(bench: Bench) -> None:
    if not bench.device.transport.config_length:
        raise Skip("the device has no configuration of its own")


def _settled_config(bench: Bench) -> bytes:
    """The configuration, once it has stopped moving on the running device. Raises :class:`Skip`."""
    with suppress(ConfigurationUnstable):
        for _ in range(5):
            before = read_configuration(bench.device)
            bench.sleep(bench.hold_time / 4)
            if read_configuration(bench.device) == before:
                return before
    raise Skip("the configuration keeps changing while the device runs, so no snapshot of it is settled")


@check("V5")
def keeps_configuration(bench: Bench) -> Finding:
    """The fields read while suspended are those of a settled snapshot; then also after the host asked for a change."""
    _need_configuration(bench)
    bench.start()
    changer = Changer(bench)
    triggered = changer.optional()
    before = _settled_config(bench)
    bench.suspend()
    bench.sleep(bench.hold_time)
    try:
        suspended = read_configuration(bench.device)
    except DeviceError as error:
        return failed("the configuration changes while suspended", f"it stays {before.hex()}", str(error))
    evidence: dict[str, object] = {
        "before": before.hex(),
        "suspended": suspended.hex(),
        "trigger": changer.name or None,
    }
    if set(suspended) == {0xFF} and set(before) != {0xFF}:
        raise Skip("the configuration reads all-ones while suspended")
    if suspended != before:
        return failed(
            "configuration fields changed while suspended, and nobody had asked for it", f"they stay {before.hex()}",
            f"they read {suspended.hex()}", **evidence,
        )  # fmt: skip
    if not triggered:
        raise Skip("the configuration stayed as it was, but nothing gave it a reason to change (no trigger)")
    changer.require(shows=True)
    changer.change()
    bench.sleep(bench.hold_time)
    asked = read_configuration(bench.device)
    evidence["after_trigger"] = asked.hex()
    if asked != before:
        return info(
            "a change that the host side was asked for showed while suspended: forbidden to the device here, and foreseen where "
            "its notification is spoken of", **evidence,
        )  # fmt: skip
    return passed("the fields stayed as they were, also when the host side was asked to change them", **evidence)


@check("V6")
def holds_notification_back(bench: Bench) -> Finding:
    """A change that is asked for while suspended does not set ISR bit 1 before DRIVER_OK is written."""
    bench.start()
    changer = Changer(bench)
    triggered = changer.optional()
    window = bench.suspend()
    if triggered:
        changer.change()
    after = bench.hold()
    evidence = {**window.to_json(), "after": after.to_json(), "trigger": changer.name or None}
    still(bench, after)
    since = window.cleared
    if since is None or after.isr is None:
        raise Skip("ISR reads all-ones while the device is suspended")
    bits = after.config_bits - since.config_bits
    if bits and bench.control is not None and bench.control.config_bit:
        return failed(
            "a notification was sent while suspended", "ISR stays 0 until resume",
            f"ISR was set {bits} time(s) after the status had shown {window.transition.status:#04x}; this device sets both "
            "bits for either kind of notification, so which of the two it was cannot be told, and neither may be sent", **evidence,
        )  # fmt: skip
    if bits:
        return failed(
            "a configuration change notification was sent while suspended", "ISR bit 1 stays 0 until resume",
            f"ISR bit 1 was set {bits} time(s) after the status had shown {window.transition.status:#04x}", **evidence,
        )  # fmt: skip
    if not triggered:
        raise Skip("the host side cannot be asked to change the configuration here (no trigger)")
    changer.require(notifies=True)
    return passed(f"{changer.name} while suspended did not set ISR bit 1 within {bench.hold_time:g} s", **evidence)


@check("V7")
def notifies_on_resume(bench: Bench) -> Finding:
    """A change that was asked for while suspended sets ISR bit 1 once the device runs again."""
    bench.start()
    changer = Changer(bench)
    changer.prove()
    changer.require(notifies=True)
    device = bench.device
    before, generation = _settled_config(bench), device.transport.generation()
    bench.suspend()
    changer.change()
    bench.sleep(bench.moment)
    seen = device.notifications.config
    bench.resume(kick=False)
    came = bench.await_config_bit(seen)
    afterwards = read_configuration(device)
    moved = device.transport.generation() != generation
    evidence: dict[str, object] = {"trigger": changer.name, "before": before.hex(), "resumed": afterwards.hex()}
    remark = (
        f"config_generation {'changed' if moved else 'did not change'} over the suspend; a device may count it lazily"
    )
    if not came:
        lost = "the change itself is lost as well" if afterwards == before else "the configuration did change"
        finding = failed(
            "no configuration change notification after resume", f"ISR bit 1 within {bench.timeout:g} s of running",
            f"not within {bench.timeout:g} s; {lost}", **evidence,
        )  # fmt: skip
    else:
        finding = passed(f"{changer.name} while suspended set ISR bit 1 after resume", **evidence)
    finding.remarks.append(remark)
    return finding
