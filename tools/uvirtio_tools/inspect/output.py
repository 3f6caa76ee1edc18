"""What the reading commands share: where descriptions come from, and how documents are written."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..telling import console, tell
from .model import Description

__all__ = ["console", "load_all", "one_device", "print_json", "warn"]


def one_device(locator: str | None, snapshot: str | None, *, intrusive: bool = False) -> Description:
    """The device that the arguments name. Raises :class:`~uvirtio.errors.UvirtioError`."""
    if snapshot is not None:
        from .snapshot import load, pick

        return pick(load(snapshot).devices, locator, snapshot)
    if locator is None:
        from uvirtio.errors import UsageError

        raise UsageError("name a device, or a snapshot with --from FILE; `uvirtio list` shows the devices")
    from .sources import describe_locator

    return describe_locator(locator, intrusive=intrusive)


def load_all(snapshot: str | None, *, raw: bool = True, used: bool = True) -> list[Description]:
    """Every device of a snapshot, or of this machine; what fails is told on stderr and left out.

    ``raw`` and ``used`` as in :func:`~uvirtio_tools.inspect.sources.Look`; a snapshot has what it has.
    """
    if snapshot is not None:
        from .snapshot import load

        return list(load(snapshot).devices)
    from .sources import Look, describe_all

    found = []
    for item in describe_all(look=Look(raw=raw, used=used)):
        if isinstance(item, Description):
            found.append(item)
        else:
            warn(str(item))
    return found


def print_json(document: dict[str, Any]) -> None:
    """One document on stdout."""
    json.dump(document, sys.stdout, indent=2)  # in ASCII: a terminal takes orders in other characters too
    sys.stdout.write("\n")


def warn(text: str) -> None:
    """A message for people."""
    tell(text)
