"""Device-specific configuration read field by field and put into words (virtio 1.4, 2.5 and 4.1.4.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uvirtio.access.clock import Clock
from uvirtio.access.steady import read_steady
from uvirtio.access.view import Region
from uvirtio.spec.devices import DeviceSpec, Field, describe_feature
from uvirtio.spec.features import Features
from uvirtio.spec.status import Status

from .model import ConfigField

__all__ = ["Configuration", "decode_fields", "read_configuration"]

#: How long the generation may keep moving, in seconds.
_PATIENCE = 1.0
#: Bytes that are shown of a type whose layout is not known.
_UNKNOWN_SIZE = 64


@dataclass(frozen=True, slots=True)
class Configuration:
    """Raw bytes from the start of the configuration, the fields in them, and sentences about what is wrong."""

    raw: bytes
    fields: tuple[ConfigField, ...]
    problems: tuple[str, ...]


def read_configuration(
    region: Region,
    spec: DeviceSpec,
    generation: Callable[[], int],
    clock: Clock,
    *,
    offered: int | None,
    status: int | None,
) -> Configuration:
    """Read every field with its own width (4.1.3.1), again while the generation moves (2.5.1)."""
    problems: list[str] = []
    spec = spec.sized(lambda field: _number(region, field) if offered is None or field.exists(Features(offered)) else 0)
    wanted = spec.config_size or _UNKNOWN_SIZE
    ready = status is not None and bool(status & Status.FEATURES_OK)
    skipped = {
        field.name: "not to be read before FEATURES_OK" for field in spec.fields if field.negotiated_first and not ready
    }
    if offered is not None:
        # A driver must not read what no offered feature makes valid (2.5.1).
        skipped |= {field.name: "not there" for field in spec.fields if not field.exists(Features(offered))}
    length = min(wanted, region.length)
    raw, steady = read_steady(lambda: _read(region, spec, length, skipped), generation, clock, _PATIENCE)
    if not steady:
        problems.append(f"config_generation kept changing for {_PATIENCE:g} s; the configuration may be torn")
    fields = decode_fields(raw, spec, offered, skipped)
    for field in fields:
        if field.valid and field.offset + field.width * field.count > region.length:
            what = f" (needed by {' or '.join(field.needs)})" if field.needs else ""
            problems.append(
                f"the configuration has {region.length} bytes, too few for {field.name}{what}, "
                f"which ends at {field.offset + field.width * field.count}"
            )
    return Configuration(raw, fields, tuple(problems))


def _number(region: Region, field: Field) -> int:
    """What a field of one element holds, 0 where the configuration does not reach so far."""
    return region.read(field.offset, field.width) if field.offset + field.width <= region.length else 0


def _read(region: Region, spec: DeviceSpec, length: int, skipped: Mapping[str, str]) -> bytes:
    raw = bytearray(length)
    covered = 0
    for field in spec.fields:
        for at in range(covered, min(field.offset, length)):
            raw[at] = region.read(at, 1)
        covered = field.offset + field.size
        if covered > length or field.name in skipped:
            continue
        # 64-bit fields are two 32-bit accesses (4.1.3.1).
        width = min(field.width, 4)
        for at in range(field.offset, covered, width):
            raw[at : at + width] = region.read(at, width).to_bytes(width, "little")
    for at in range(covered, length):
        raw[at] = region.read(at, 1)
    return bytes(raw)


def decode_fields(
    raw: bytes, spec: DeviceSpec, offered: int | None, skipped: Mapping[str, str] | None = None
) -> tuple[ConfigField, ...]:
    """The fields of a type, with the values that stand in ``raw``; fields beyond its end have none.

    ``skipped``: names of fields that were not read, each with the reason.
    """
    found = []
    for field in spec.fields:
        valid = True if not field.features else None if offered is None else field.exists(Features(offered))
        value: int | str | None = None
        text = "beyond the end of the configuration"
        data = raw[field.offset : field.offset + field.size]
        if skipped and field.name in skipped:
            text = skipped[field.name]
        elif len(data) == field.size:
            value, text = field.decode(data)
        found.append(
            ConfigField(
                field.name,
                field.offset,
                field.width,
                field.count,
                field.unit,
                field.writable,
                valid,
                value,
                text,
                tuple(describe_feature(spec.number, bit).name for bit in field.features),
            )
        )
    return tuple(found)
