"""The vectors of MSI-X as they are now: table, masks, pending bits, and what is mapped to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from uvirtio.access.view import Region
from uvirtio.errors import UvirtioError
from uvirtio.pci.capabilities import Capability
from uvirtio.pci.msix import VectorTable

from .model import VectorRow

__all__ = ["vector_rows"]

#: Vectors that are shown at most: each takes four reads.
_MOST = 256


def vector_rows(
    config: Region,
    bar: Callable[[int], Region],
    capabilities: list[Capability],
    mapped: Mapping[str, int | None],
    problems: list[str],
) -> tuple[VectorRow, ...]:
    """A row for each vector; ``mapped``: what is mapped, by its register's name. What cannot be read is among the problems."""
    try:
        table = VectorTable.of(config, bar, capabilities)
        if table is None:
            return ()
        pending, rows = table.pending(), []
        for number in range(min(table.count, _MOST)):
            vector = table.vector(number)
            events = tuple(_event(name) for name, to in mapped.items() if to == number)
            rows.append(VectorRow(number, vector.address, vector.data, vector.masked, number in pending, events))
    except UvirtioError as error:
        problems.append(f"the vectors of MSI-X could not be read: {error}")
        return ()
    return tuple(rows)


def _event(register: str) -> str:
    """What a register maps: the configuration or a queue."""
    return register.partition(" of ")[2] or "configuration"
