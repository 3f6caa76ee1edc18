"""Scenarios: what is done to a device, from one known state to the next. They speak no verdict.

Each is a function of a :class:`~uvirtio_tools.judging.stage.Stage` beside its name and the statements that it is for. The
entry-point group ``uvirtio.scenarios`` names modules of other packages that register more by :func:`scenario`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from uvirtio.plugins import import_registering
from uvirtio.spec.dialects import CHROMIUM, V1_4, Dialect

from ..judging.stage import Stage

__all__ = ["DANGEROUS", "LAST", "NORMAL", "STRESS", "Scenario", "every_scenario", "scenario", "scenarios_for"]

#: Values of ``order``: the harmless first, those that may leave a device in a bad state late.
NORMAL, STRESS, DANGEROUS, LAST = 0, 1, 2, 3

#: In the order in which they run: what needs no data to move comes first, and then whether the device suspends and resumes.
_MODULES = (
    "pci",
    "identity",
    "basic",
    "suspend",
    "configuration",
    "initial",
    "reset",
    "unspecified",
    "stress",
    "failure",
    "queues",
    "notifications",
    "messages",
    "rng",
    "blk",
    "net",
    "console",
    "balloon",
    "input",
    "robustness",
    "survive",
)
_GROUP = "uvirtio.scenarios"


class Scenario(NamedTuple):
    """Something that is done to a device from a known state. ``shows``: the statements that it is for.

    ``also``: statements that it would do for, where nothing else has shown them. ``dialects``: where it makes sense, by
    name; empty: on every device. ``order``: those of a higher number come later. ``each_way``: it shows how the device
    notifies, and is run again with messages of MSI-X.
    """

    name: str
    shows: tuple[str, ...]
    also: tuple[str, ...]
    run: Callable[[Stage], None]
    dialects: tuple[str, ...]
    order: int
    each_way: bool = False

    def fits(self, dialect: Dialect | None) -> bool:
        """Whether it makes sense for a device of this dialect (None: it offers no suspend).

        What is done to virtio 1.4's is done to Chromium's, too.
        """
        if not self.dialects or dialect is None:
            return not self.dialects
        return dialect.name in self.dialects or (dialect is CHROMIUM and V1_4.name in self.dialects)


_REGISTERED: dict[str, Scenario] = {}
_ALL = ("1.4", "chromium", "rfc")


def scenario(
    name: str,
    *shows: str,
    also: tuple[str, ...] = (),
    dialects: tuple[str, ...] = _ALL,
    order: int = NORMAL,
    each_way: bool = False,
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Register a scenario. Raises :class:`ValueError` for a name that there is already."""

    def register(function: Callable[[Stage], None]) -> Callable[[Stage], None]:
        if name in _REGISTERED:
            raise ValueError(f"there is a scenario {name!r} already")
        _REGISTERED[name] = Scenario(name, shows, also, function, dialects, order, each_way)
        return function

    return register


@cache
def _load() -> None:
    import_registering(__name__, _MODULES, _GROUP)


def every_scenario() -> list[Scenario]:
    """All of them, in the order in which they run."""
    _load()
    return sorted(_REGISTERED.values(), key=lambda each: each.order)


def scenarios_for(ids: Iterable[str], dialect: Dialect | None) -> list[Scenario]:
    """Those that can show one of these statements, in the order in which they run."""
    wanted = set(ids)
    return [each for each in every_scenario() if wanted & {*each.shows, *each.also} and each.fits(dialect)]
