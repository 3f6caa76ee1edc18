"""The configuration of a suspended device: it is written, and the host side changes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from uvirtio.errors import CannotRun, ConfigurationUnstable, DeviceError

from ..judging import names
from ..judging.ends import Skip
from ..judging.looks import read_configuration
from ..judging.stage import Stage
from . import scenario

__all__ = ["Changer"]

#: Triggers that change a device's configuration, best first, with arguments that make each call a change.
_CHANGES: dict[str, Callable[[int], dict[str, object]]] = {
    "change_config": lambda _number: {},
    "set_link": lambda number: {"up": number % 2 == 1},
    "resize": lambda _number: {},
    "block_resize": lambda _number: {},
    "balloon": lambda _number: {},
}
_ALL_ONES = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFFFFFF}


@scenario("write the configuration of a suspended device", "V2")
def write_asleep(stage: Stage) -> None:
    """A field that takes a write while running is written while suspended, in deliberate deviation."""
    driver = stage.bring_up.driver_class
    writable = driver.WRITABLE if driver is not None else None
    if writable is None:
        raise Skip(
            f"a {stage.device.identity.type_name} device has no configuration field that may be written to see whether that takes"
        )
    stage.start()
    field = writable.field
    device, configuration = stage.device, stage.device.configuration
    if device.negotiated is None or not field.exists(device.negotiated.accepted):
        raise Skip(
            f"the device does not offer the feature that {field.name} needs, and has no other field that may be written"
        )
    offset, width = field.offset, field.width
    before = configuration.read(offset, width)
    other = writable.other(before)
    configuration.write(offset, width, other)
    taken = configuration.read(offset, width)
    configuration.write(offset, width, before)
    if taken != other or configuration.read(offset, width) != before:
        raise Skip(
            f"while running, {field.name} reads {taken:#x} after {other:#x} was written to it: it takes no write anyway"
        )
    stage.sleeper.suspend()
    with device.deviating("D5", "a configuration write while suspended should have no effect"):
        configuration.write(offset, width, other)
    asleep = configuration.read(offset, width)
    device.status.read()
    for what, value in (
        (names.FIELD, field.name),
        (names.VALUE, before),
        (names.WRITTEN, other),
        (names.ASLEEP, asleep),
    ):
        stage.read(what, value)
    if asleep != other or asleep == _ALL_ONES[width]:
        stage.sleeper.resume(kick=False)
        stage.read(names.AFTERWARDS, configuration.read(offset, width))


class Changer:
    """Has the host side change the configuration, again and again. ``name``: the trigger, empty where there is none."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._fired = 0
        self.name = next((name for name in _CHANGES if stage.traffic.can(name)), "")

    def change(self) -> None:
        """Ask for one change. Raises :class:`Skip` where it cannot be had."""
        try:
            self._fire()
        except CannotRun as error:
            raise Skip(f"the host side was asked to change the configuration ({self.name}): {error}") from error

    def _fire(self) -> None:
        if not self._fired:
            self._stage.traffic.cleanups.append(self.restore)
        self._stage.traffic.ask_host(self.name, **_CHANGES[self.name](self._fired))
        self._fired += 1

    def restore(self) -> None:
        """Most of these changes go to and fro: an odd one (a link that is down) is not left behind."""
        if self._fired % 2:
            self._fire()

    def prove(self) -> None:
        """The positive control, on the running device: whether a change shows, and whether it is notified."""
        stage, device = self._stage, self._stage.device
        told = device.notifications
        told.collect()
        before, seen = read_configuration(device), told.config
        self.change()
        # Where ISR has shown nothing at all so far, the full time would only be lost.
        control = stage.traffic.control
        silent = control is not None and not control.used and not told.config
        stage.traffic.config_notified(seen, names.CONTROL_BIT, stage.options.hold if silent else None)
        stage.read(names.SHOWS, int(read_configuration(device) != before))
        stage.sleeper.sleep(stage.options.hold / 4)
        told.collect()


def _note_settled(stage: Stage) -> None:
    """The configuration, once it has stopped moving on the running device."""
    with suppress(ConfigurationUnstable):
        for _ in range(5):
            before = read_configuration(stage.device)
            stage.sleeper.sleep(stage.options.hold / 4)
            if read_configuration(stage.device) == before:
                stage.read(names.SETTLED, before.hex())
                return


@scenario("change the configuration of a suspended device", "V5", "V6", "V7", each_way=True)
def change_asleep(stage: Stage) -> None:
    """The host side changes the configuration while the device is suspended, after it has shown that this can be seen."""
    stage.start()
    device, sleeper = stage.device, stage.sleeper
    changer = Changer(stage)
    stage.read(names.TRIGGER, changer.name)
    if changer.name:
        changer.prove()
    if device.configuration.length:
        _note_settled(stage)
        stage.read(names.GENERATION, device.transport.generation())
    sleeper.suspend()
    sleeper.hold()
    _note(stage, names.SUSPENDED)
    if not changer.name:
        return
    changer.change()
    sleeper.hold(name="held after the change")
    _note(stage, names.CHANGED)
    seen = device.notifications.config
    sleeper.resume(kick=False)
    stage.traffic.config_notified(seen, names.RESUMED_BIT)
    _note(stage, names.RESUMED)
    stage.read(names.GENERATION, device.transport.generation())
    # Once more, with the change between the SUSPEND write and the status that shows it.
    device.notifications.collect()
    seen = device.notifications.config
    sleeper.suspend(meanwhile=changer.change)
    sleeper.hold(sleeper.moment)
    sleeper.resume(kick=False)
    stage.traffic.config_notified(seen, names.ON_THE_WAY_BIT)


def _note(stage: Stage, what: str) -> None:
    if not stage.device.configuration.length:
        return
    try:
        stage.read(what, read_configuration(stage.device).hex())
        stage.device.status.read()
    except DeviceError as error:
        stage.read(names.UNSTABLE, error)
