"""A console's emergency write, before the device has been configured."""

from __future__ import annotations

from uvirtio.spec.devices.console import EMERG_WRITE, SPEC

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import scenario

__all__: list[str] = []

_FIELD = next(field for field in SPEC.fields if field.name == "emerg_wr")


@scenario("write an emergency character", "CON1", dialects=())
def emergency(stage: Stage) -> None:
    """A NUL in reset, at DRIVER and on the running device; then traffic."""
    device = stage.device
    if EMERG_WRITE not in device.offered:
        raise Skip("the device does not offer EMERG_WRITE")
    device.reset()
    device.configuration.write(_FIELD.offset, _FIELD.width, 0)
    stage.read(names.EMERGENCY, device.status.read())
    device.begin()
    device.configuration.write(_FIELD.offset, _FIELD.width, 0)
    stage.read(names.EMERGENCY, device.status.read())
    stage.bring_up.start(suspend=False, reset=True)
    device.configuration.write(_FIELD.offset, _FIELD.width, 0)
    stage.note_started()
    stage.traffic.need()
    stage.traffic.try_run(names.AFTER_EMERGENCY)
