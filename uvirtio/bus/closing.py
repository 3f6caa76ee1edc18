"""Giving back what was taken, whatever becomes of a single step."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["close_all"]


def close_all(closers: list[Callable[[], object]]) -> None:
    """Call them, the latest first, and forget them.

    One that fails does not keep the others from being called, and the first error is raised at the end.
    """
    first: BaseException | None = None
    while closers:
        try:
            closers.pop()()
        except BaseException as error:
            first = first or error
    if first is not None:
        raise first
