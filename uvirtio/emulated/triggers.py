"""What the host side can be asked to do to an emulated device, by name: the same for a call and for a control socket.

====================  =====================================================================================
``change_config``     change a configuration field and notify; without arguments a field of the type's choice
``delay``             seconds that requests stay in process from now on; None: as long as when it was started
``state``             nothing changes; the answer tells where the device stands
====================  =====================================================================================

A type adds its own (``send_traffic``, ``set_link`` ...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import CannotRun
from .function import EmulatedFunction

__all__ = ["fire", "names", "state"]


def state(function: EmulatedFunction) -> dict[str, object]:
    """Where the device stands, as JSON-ready data."""
    device = function.device
    return {
        "type": function.options.type_name,
        "profile": device.behaviour.profile,
        "phase": device.behaviour.phase.value,
        "status": f"{int(device.status):#04x}",
        "isr": function.interrupts.isr,
        "generation": device.generation,
        "in_process": device.in_process,
        "latency": device.latency,
        "queues": [
            {"enabled": queue.enabled, "size": queue.size} | (queue.ring.state() if queue.ring is not None else {})
            for queue in device.queues
        ],
    }


def _table(function: EmulatedFunction) -> dict[str, Callable[..., object]]:
    device = function.device

    def delay(seconds: object = 0.01) -> None:
        if seconds is None:
            device.latency = function.options.latency
            return
        if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
            raise CannotRun(f"delay: {seconds!r} is no time in seconds")
        try:
            value = float(seconds)
        except (ValueError, OverflowError):
            value = -1.0
        if not 0 <= value <= 3600:
            raise CannotRun(f"delay: {seconds!r} is no time in seconds between 0 and 3600")
        device.latency = value

    def change_config(**values: object) -> None:
        change: Mapping[str, int] | None
        if values:
            change = {name: _integer(name, value) for name, value in values.items()}
            for name, value in change.items():
                if not 0 <= value < 1 << 8 * device.model.field(name).size:
                    raise CannotRun(f"change_config: {value} does not fit the field {name}")
        else:
            change = device.model.change()
        if change is None:
            raise CannotRun(f"{function.options.type_name} has no configuration that could change")
        device.change_config(change)

    table: dict[str, Callable[..., object]] = {"delay": delay, "state": lambda: state(function)}
    if device.model.config:
        table["change_config"] = change_config
    return table | dict(device.model.triggers())


def _integer(name: str, value: object) -> int:
    if isinstance(value, int):
        return int(value)
    try:
        return int(str(value), 0)
    except ValueError:
        raise CannotRun(f"change_config: {value!r} is no value for the field {name}") from None


def names(function: EmulatedFunction) -> frozenset[str]:
    """What can be asked of this device."""
    return frozenset(_table(function))


def fire(function: EmulatedFunction, name: str, arguments: Mapping[str, object]) -> object:
    """Do it, now, whether the device is suspended or not. Raises :class:`CannotRun` where it cannot be done."""
    table = _table(function)
    if name not in table:
        raise CannotRun(
            f"{function.options.type_name} cannot be asked for {name!r}, only for {', '.join(sorted(table))}"
        )
    function.log.event("trigger", name)
    try:
        return table[name](**arguments)
    except (TypeError, ValueError, OverflowError) as error:
        raise CannotRun(f"{name}: {error}") from error
