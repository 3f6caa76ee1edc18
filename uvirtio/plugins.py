"""What other people's packages add, found by the entry points that they declare.

| group | name | object |
|---|---|---|
| ``uvirtio.types`` | short name of a device type | its :class:`~uvirtio.spec.devices.DeviceSpec` |
| ``uvirtio.drivers``, ``uvirtio.workloads`` | short name of a device type | the class |
| ``uvirtio.models`` | short name of a device type | the class that ``emulated:`` makes its devices of |
| ``uvirtio.scenarios``, ``uvirtio.statements`` | any | a module that registers some as it is imported |

What is built in is never looked for here, so a machine without such packages pays nothing for them.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import CannotRun

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["import_registering", "plugin", "plugins"]

#: Where an interpreter looks for its own library, packed: there are no distributions in it.
_STANDARD = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
#: What this very package was imported from: where that is a file, it has nobody else's packages in it.
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@cache
def _declared() -> bool:
    """Whether a distribution may declare an entry point of ours.

    Most machines have none, and the library that finds them costs more than all of ``import uvirtio``.
    """
    for directory in filter(os.path.isdir, sys.path):
        for declared in glob.iglob(os.path.join(glob.escape(directory), "*.*-info", "entry_points.txt")):
            with open(declared, encoding="utf-8", errors="replace") as file:
                if "[uvirtio." in file.read():
                    return True
    # What is no directory has its own finder.
    return any(
        os.path.isfile(path) and not path.endswith(_STANDARD) and os.path.abspath(path) != _OURS for path in sys.path
    )


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    if not _declared():
        return {}
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=group)}


def plugin(group: str, name: str) -> Any:
    """The object of one entry point, None where there is none of that name. Raises :class:`CannotRun` when it is broken."""
    entry = _entries(group).get(name)
    return None if entry is None else _load(group, entry)


def plugins(group: str) -> dict[str, Any]:
    """All objects of a group, by name. Raises :class:`CannotRun` when one is broken."""
    return {name: _load(group, entry) for name, entry in _entries(group).items()}


def import_registering(package: str, modules: Iterable[str], group: str) -> None:
    """Import what registers something as it is imported: modules of a package, then those of a group.

    Raises :class:`CannotRun` when one of the group is broken.
    """
    for module in modules:
        import_module(f"{package}.{module}")
    plugins(group)


def _load(group: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        package = entry.dist.name if entry.dist is not None else "an unknown package"
        raise CannotRun(
            f"the entry point {entry.name!r} of {group}, from {package}, cannot be loaded: "
            f"{type(error).__name__}: {error}; mend or uninstall that package"
        ) from error
