"""Dataclasses to JSON and back, checked: a snapshot may be damaged, and must then be refused with a sentence.

Masks and addresses are hex strings, as ``ip -j`` and ``nvme -o json`` have them; everything else is as it is.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Hashable
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from uvirtio.errors import SnapshotError

__all__ = ["decode", "encode", "hexadecimal"]

T = TypeVar("T")


def hexadecimal(default: Any = MISSING) -> Any:
    """A dataclass field whose integer is a hex string in JSON."""
    metadata = {"hexadecimal": True}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def encode(value: Any, members: Collection[str] | None = None) -> Any:
    """What ``json.dumps`` takes, in the order of the fields; of a dataclass only these ``members`` (None: all)."""
    if is_dataclass(value) and not isinstance(value, type):
        wanted = (item for item in fields(value) if members is None or item.name in members)
        return {item.name: _encode_field(item, getattr(value, item.name)) for item in wanted}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def _encode_field(item: Field[Any], value: Any) -> Any:
    if item.metadata.get("hexadecimal") and value is not None:
        return f"{value:#x}"
    return encode(value)


def decode(kind: type[T], data: Any, where: str = "document") -> T:
    """Build a dataclass from parsed JSON. Raises :class:`SnapshotError` naming the place that is wrong.

    Members that this release does not know are left out; those that have a default may be missing.
    """
    if not isinstance(data, dict):
        raise SnapshotError(f"{where}: an object was expected, not {type(data).__name__}")
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name in data:
            place = f"{where}.{item.name}"
            if item.metadata.get("hexadecimal"):
                values[item.name] = _number(_hints(cast(Hashable, kind))[item.name], data[item.name], place)
            else:
                values[item.name] = _value(_hints(cast(Hashable, kind))[item.name], data[item.name], place)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise SnapshotError(f"{where}: {item.name} is missing; the file is damaged or not a snapshot")
    return kind(**values)


def _number(hint: Any, data: Any, where: str) -> int | None:
    if data is None and type(None) in get_args(hint):
        return None
    if isinstance(data, str):
        try:
            return int(data, 16)
        except ValueError:
            pass
    raise SnapshotError(f"{where}: a hex number was expected, not {data!r}")


def _value(hint: Any, data: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        options = get_args(hint)
        if data is None and type(None) in options:
            return None
        for option in options:
            if isinstance(option, type) and not is_dataclass(option) and _is(option, data):
                return data
        for option in options:
            if is_dataclass(option) and isinstance(option, type):
                return decode(option, data, where)
    elif origin is tuple:
        if isinstance(data, list):
            return tuple(_value(get_args(hint)[0], item, f"{where}[{at}]") for at, item in enumerate(data))
    elif origin is dict:
        if isinstance(data, dict) and all(isinstance(text, str) for text in data.values()):
            return data
    elif is_dataclass(hint) and isinstance(hint, type):
        return decode(hint, data, where)
    elif _is(hint, data):
        return data
    raise SnapshotError(f"{where}: {data!r} is not what stands here in a snapshot")


def _is(kind: type, data: Any) -> bool:
    return isinstance(data, kind) and not (kind is int and isinstance(data, bool))
