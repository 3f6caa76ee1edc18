"""What the reference says about emulated devices: parameters, profiles and faults, made from the devices themselves."""

from __future__ import annotations

from collections.abc import Iterable

from uvirtio.emulated.faults import FAULTS
from uvirtio.emulated.options import COMMON_PARAMETERS
from uvirtio.emulated.profiles import PROFILES
from uvirtio.emulated.types import TYPES

__all__ = ["emulated_devices"]


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| {name} | {meaning} |" for name, meaning in rows]
    return [*lines, ""]


def _first_line(thing: type) -> str:
    return (thing.__doc__ or "").partition("\n")[0].replace("``", "`")


def emulated_devices() -> str:
    """The parameters of ``emulated:`` and ``serve``, the profiles and the faults, as Markdown."""
    parameters = [(f"`{name}`", meaning) for name, meaning in COMMON_PARAMETERS.items()]
    for type_name, model in sorted(TYPES.items()):
        parameters += [(f"`{name}` ({type_name})", meaning) for name, meaning in model.PARAMETERS.items()]
    profiles = ((f"`{name}`", _first_line(profile)) for name, profile in PROFILES.items())
    faults = ((f"`{name}`", _first_line(fault)) for name, fault in FAULTS.items())
    lines = _table(("parameter", "meaning"), parameters) + _table(("profile", "how it behaves"), profiles)
    return "\n".join(lines + _table(("fault", "what it does wrong"), faults)).rstrip() + "\n"
