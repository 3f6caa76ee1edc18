"""Emulated functions whose configuration space was tampered with: what no profile plays, for whatever opens a locator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.emulated.function import EmulatedFunction
from uvirtio.spec.pci import Header, StructureCap, StructureType

__all__ = ["TRANSITIONAL", "Tamper", "capability", "every_emulated", "header", "put", "tampered", "unlink"]

#: Changes an emulated function before anybody looks at it.
Tamper = Callable[[EmulatedFunction], None]

#: What makes a header that of a transitional device, but for its ids.
TRANSITIONAL = (Header.REVISION, 1, 0)


def put(function: EmulatedFunction, offset: int, width: int, value: int) -> None:
    """Write configuration space as no driver can."""
    function.pci._data[offset : offset + width] = value.to_bytes(width, "little")


def header(*fields: tuple[int, int, int]) -> Tamper:
    """Fields of configuration space: offset, width, value."""

    def tamper(function: EmulatedFunction) -> None:
        for offset, width, value in fields:
            put(function, offset, width, value)

    return tamper


def _find(function: EmulatedFunction, kind: StructureType) -> tuple[int, int]:
    """Where the capability of a structure stands, and where the pointer to it."""
    data, link = function.pci._data, int(Header.CAPABILITIES)
    while at := data[link]:
        if data[at] == 9 and data[at + StructureCap.CFG_TYPE] == kind:
            return at, link
        link = at + StructureCap.NEXT
    raise AssertionError(f"there is no {kind.name} capability")


def capability(kind: StructureType, offset: int, width: int, value: int) -> Tamper:
    """A field of a structure's capability."""
    return lambda function: put(function, _find(function, kind)[0] + offset, width, value)


def unlink(kind: StructureType) -> Tamper:
    """Takes a structure out of the capability list."""

    def tamper(function: EmulatedFunction) -> None:
        at, link = _find(function, kind)
        put(function, link, 1, function.pci._data[at + StructureCap.NEXT])

    return tamper


def tampered(locator: str, *tampers: Tamper) -> EmulatedBus:
    """An open emulated device, tampered with."""
    bus = EmulatedBus(parse(locator))
    for tamper in tampers:
        tamper(bus.function)
    return bus


def every_emulated(monkeypatch: pytest.MonkeyPatch, *tampers: Tamper) -> None:
    """Tampers with every emulated function that is made from now on, also those behind a served socket."""
    make = EmulatedFunction.__init__

    def made(self: EmulatedFunction, *words: Any) -> None:
        make(self, *words)
        for tamper in tampers:
            tamper(self)

    monkeypatch.setattr(EmulatedFunction, "__init__", made)
