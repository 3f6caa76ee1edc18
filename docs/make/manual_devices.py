"""What the reference says about emulated devices: parameters, profiles and faults, made from the devices themselves."""

from __future__ import annotations

from collections.abc import Iterable

from uvirtio.emulated.faults import FAULTS
from uvirtio.emulated.options import COMMON_PARAMETERS
from uvirtio.emulated.profiles import PROFILES
from uvirtio.emulated.types import DESCRIBED, MODELLED, find_model

__all__ = ["emulated_devices"]


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| {name} | {meaning} |" for name, meaning in rows]
    return [*lines, ""]


def _first_line(thing: type) -> str:
    return (thing.__doc__ or "").partition("\n")[0].replace("``", "`")


def _names(parameters: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in parameters) or "-"


def emulated_devices() -> str:
    """The parameters of ``emulated:`` and ``serve``, the profiles and the faults, as Markdown."""
    parameters = [(f"`{name}`", meaning) for name, meaning in COMMON_PARAMETERS.items()]
    for type_name in sorted(MODELLED):
        parameters += [
            (f"`{name}` ({type_name})", meaning) for name, meaning in find_model(type_name).PARAMETERS.items()
        ]
    profiles = ((f"`{name}`", _first_line(profile)) for name, profile in PROFILES.items())
    faults = ((f"`{name}`", _first_line(fault[0])) for name, fault in FAULTS.items())
    lines = _table(("parameter", "meaning"), parameters)
    lines += [
        "The other types that virtio 1.4 has a section about are *described only*: their id, feature bits, configuration and",
        "queues are there, they negotiate, suspend and resume, but their queues take buffers and return none, because what",
        "such a device is for is not modelled. Their configuration fields are parameters (`emulated:vsock?guest_cid=42`); those",
        "that are not given have values that can be recognised, and what a driver believes in promises little.",
        "",
    ]
    described = ((f"`{name}`", _names(find_model(name).PARAMETERS)) for name in sorted(DESCRIBED))
    lines += _table(("described only", "configuration fields"), described)
    lines += _table(("profile", "how it behaves"), profiles)
    return "\n".join(lines + _table(("fault", "what it does wrong"), faults)).rstrip() + "\n"
