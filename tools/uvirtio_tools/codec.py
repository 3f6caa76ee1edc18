"""Records to JSON and back, checked: a file may be damaged, and must then be refused with a sentence.

Records are dataclasses and named tuples. Masks and addresses are hex strings, as ``ip -j`` and ``nvme -o json`` have them; enums
are their names; everything else is as it is.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from enum import Enum
from functools import cache
from reprlib import repr
from typing import Any, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from uvirtio.errors import SnapshotError

__all__ = ["decode", "encode", "hexadecimal", "octets"]

T = TypeVar("T")


def hexadecimal(default: Any = MISSING) -> Any:
    """A dataclass field whose integer is a hex string in JSON."""
    metadata = {"hexadecimal": True}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def octets() -> Any:
    """A dataclass field of bytes as hex digits, none by default."""
    return field(default="", metadata={"octets": True})


class _Member(NamedTuple):
    """One field of a record. ``default`` is ``MISSING`` where it has to be there."""

    name: str
    hint: Any
    default: object
    hexadecimal: bool
    octets: bool = False


def _is_record(kind: object) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")))


@cache
def _members(kind: Hashable) -> tuple[_Member, ...]:
    hints = get_type_hints(kind)
    if is_dataclass(kind):
        return tuple(
            _Member(
                item.name, hints[item.name], MISSING if item.default_factory is MISSING is item.default else None,
                bool(item.metadata.get("hexadecimal")), bool(item.metadata.get("octets")),
            )
            for item in fields(kind)
        )  # fmt: skip
    named = cast(Any, kind)
    return tuple(_Member(name, hints[name], named._field_defaults.get(name, MISSING), False) for name in named._fields)


def encode(value: Any, members: Collection[str] | None = None) -> Any:
    """What ``json.dumps`` takes, in the order of the fields; of a dataclass only these ``members`` (None: all).

    What a named tuple has by default is left out.
    """
    if _is_record(type(value)):
        return dict(_encoded(value, members))
    if isinstance(value, Enum) and not isinstance(value, int):
        return value.name
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def _encoded(value: Any, members: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    named = isinstance(value, tuple)
    for member in _members(cast(Hashable, type(value))):
        item = getattr(value, member.name)
        if (members is not None and member.name not in members) or (named and item == member.default):
            continue
        yield member.name, f"{item:#x}" if member.hexadecimal and item is not None else encode(item)


def decode(kind: type[T], data: Any, where: str = "document") -> T:
    """Build a record from parsed JSON. Raises :class:`SnapshotError` naming the place that is wrong.

    Members that this release does not know are left out; those that have a default may be missing.
    """
    if not isinstance(data, dict):
        raise SnapshotError(f"{where}: an object was expected, not {type(data).__name__}")
    values: dict[str, Any] = {}
    for member in _members(cast(Hashable, kind)):
        if member.name in data:
            read = _number if member.hexadecimal else _octets if member.octets else _value
            values[member.name] = read(member.hint, data[member.name], f"{where}.{member.name}")
        elif member.default is MISSING:
            raise SnapshotError(f"{where}: {member.name} is missing; the file is damaged or not what it should be")
    return kind(**values)


#: The longest hex number, which is one of 128 bits, with its prefix and something to spare.
_DIGITS = 40


def _number(hint: Any, data: Any, where: str) -> int | None:
    if data is None and type(None) in get_args(hint):
        return None
    if isinstance(data, str) and len(data) <= _DIGITS:
        try:
            return int(data, 16)
        except ValueError:
            pass
    raise SnapshotError(f"{where}: a hex number was expected, not {repr(data)[:80]}")


def _octets(_hint: Any, data: Any, where: str) -> str:
    try:
        bytes.fromhex(data)
    except (TypeError, ValueError):
        raise SnapshotError(f"{where}: bytes as hex digits were expected, not {repr(data)}") from None
    return str(data)


def _value(hint: Any, data: Any, where: str) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return data
    if origin in (Union, types.UnionType):
        options = get_args(hint)
        if data is None and type(None) in options:
            return None
        for option in options:
            if isinstance(option, type) and not _is_record(option) and _is(option, data):
                return data
        for option in options:
            if _is_record(option):
                return decode(option, data, where)
    elif origin is tuple or origin is list:
        if isinstance(data, list):
            return origin(_value(get_args(hint)[0], item, f"{where}[{at}]") for at, item in enumerate(data))
    elif origin is dict:
        if isinstance(data, dict):
            key, item = get_args(hint)
            return {_key(key, name, where): _value(item, each, f"{where}[{name}]") for name, each in data.items()}
    elif _is_record(hint):
        return decode(hint, data, where)
    elif isinstance(hint, type) and issubclass(hint, Enum) and isinstance(data, str) and data in hint.__members__:
        return hint[data]
    elif _is(hint, data):
        return data
    raise SnapshotError(f"{where}: {repr(data)} is not what stands here")


def _key(kind: type, name: str, where: str) -> object:
    if kind is not int:
        return name
    try:
        return int(name)
    except ValueError:
        raise SnapshotError(f"{where}: a number was expected, not {name!r}") from None


def _is(kind: type, data: Any) -> bool:
    if kind is float:
        # JSON has one kind of number, and no end of it.
        return not isinstance(data, bool) and (
            isinstance(data, float) or (isinstance(data, int) and abs(data) <= sys.float_info.max)
        )
    return isinstance(data, kind) and (kind is bool or not isinstance(data, bool))
