"""Reading the values of parameters: numbers, sizes, times, switches. Each raises LocatorError with what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import LocatorError
from ..spec.devices import Field

__all__ = ["field_value", "flag", "number", "seconds", "size"]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def flag(parameters: Mapping[str, str], name: str, default: bool) -> bool:
    """An on/off switch."""
    text = parameters.get(name)
    if text is None:
        return default
    if text.lower() in ("on", "yes", "true", "1"):
        return True
    if text.lower() in ("off", "no", "false", "0"):
        return False
    raise LocatorError(f"{name}={text} is neither on nor off")


def seconds(parameters: Mapping[str, str], name: str, default: float) -> float:
    """A time in seconds, at most an hour."""
    text = parameters.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise LocatorError(f"{name}={text} is no time in seconds between 0 and 3600")
    return value


def number(parameters: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number, decimal or hexadecimal with 0x."""
    text = parameters.get(name)
    if text is None:
        return default
    try:
        value = int(text, 0)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise LocatorError(f"{name}={text} is no whole number between {low} and {high}")
    return value


def size(parameters: Mapping[str, str], name: str, default: int) -> int:
    """A number of bytes, with k, M, G or T behind it for powers of 1024."""
    text = parameters.get(name)
    if text is None:
        return default
    match = re.fullmatch(r"(\d+)([kmgt]?)(?:i?b)?", text.lower())
    if match is None or not int(match[1]):
        raise LocatorError(f"{name}={text} is no size; it looks like 16M or 1048576")
    return int(match[1]) * _UNITS[match[2]]


def field_value(parameters: Mapping[str, str], field: Field) -> bytes:
    """What a configuration field holds: text, or a number."""
    text = parameters[field.name]
    if field.kind == "text":
        data = text.encode()
    else:
        data = number(parameters, field.name, 0, 0, (1 << 8 * field.size) - 1).to_bytes(field.size, "little")
    if len(data) > field.size:
        raise LocatorError(f"{field.name}={text} has more than the field's {field.size} bytes")
    return data.ljust(field.size, b"\0")
