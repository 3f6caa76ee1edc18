"""Documents that are almost right: one value of a good one is another, or is not there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

__all__ = ["damaged", "places"]

#: Values that stand where others are expected.
_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 1 << 31, 1 << 64, -(1 << 64), 10**400, 0.0, -0.5, 1e308, float("inf"), float("nan"), "", "x",
    "0x0", "-1", "0x" + "f" * 40, "PASS", "[/]", "\x1b[2J", "\ud800", "\x00", [], {}, [[]], [None], {"": None}, [{}] * 3,
    {"count": 1}, {"count": "x"}, "V1", "a\nb",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand in a document."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from places(item, (*path, at))


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to three places changed."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([path for path in places(changed) if path]))
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        how = draw(st.integers(0, 9))
        if how == 0:
            del holder[path[-1]]
        elif how == 1 and isinstance(holder, dict):
            holder[draw(st.sampled_from(["extra", "", "\x1b]", "count"]))] = holder[path[-1]]
        elif how == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[path[-1]] = copy.deepcopy(draw(st.sampled_from(_ODD)))
    return changed
