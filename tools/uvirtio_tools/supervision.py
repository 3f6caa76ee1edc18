"""Whether what drives devices runs in this process, or in a worker whose end, however sudden, is survived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from uvirtio.bus.locator import parse
from uvirtio.errors import UvirtioError

__all__ = ["supervised"]


def supervised(locators: Sequence[str], work: Callable[[], int]) -> int:
    """Run ``work``, which drives these devices: where some are of this machine, in a worker process with supervisors.

    Raises :class:`UvirtioError` where the only one is not there.
    """
    real = [where for where in map(parse, locators) if where.of_this_machine]
    if not real:
        return work()
    # Imported here: what is emulated needs nothing of it.
    from uvirtio.bus.uio.discovery import resolve

    from .supervisor import supervise

    for where in real:
        try:
            bdf = resolve(where.target)
        except UvirtioError:
            if len(locators) == 1:
                raise
            continue  # it is told in its turn, and does not keep the others from theirs
        # One supervisor around another: each gives its own device back.
        work = partial(supervise, bdf, work)
    return work()
