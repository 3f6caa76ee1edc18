"""Faults of INP statements: input devices (5.8)."""

from __future__ import annotations

from ..spec.devices import Field
from .input import Input

__all__ = ["FAULTS"]


class INP1(Input):
    """Leaves the answer to the query before where it has none."""

    def config_written(self, field: Field) -> None:
        """See :class:`Input`."""
        size = self.get("size")
        super().config_written(field)
        if not self.get("size"):
            self.put("size", size)


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {"INP1": (INP1,)}
