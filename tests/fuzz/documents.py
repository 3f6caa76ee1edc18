"""Documents that are almost right: a value of a good one is another, is there twice, or is not there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from .choices import Choices, odd

__all__ = ["damaged", "text"]

_NAMES = ["extra", "", "\x1b]", "count", "id", "verdict"]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _places(item, (*path, at))


def damaged(document: Any, choose: Choices) -> Any:
    """The document with one to four places changed."""
    changed = copy.deepcopy(document)
    for _ in range(1 + choose.randrange(4)):
        places = list(_places(changed))
        if not places:
            return odd(choose)
        path = choose.choice(places)
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        how = choose.randrange(10)
        if how == 0:
            del holder[path[-1]]
        elif how == 1 and isinstance(holder, dict):
            holder[choose.choice(_NAMES)] = holder[path[-1]]
        elif how == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        else:
            holder[path[-1]] = copy.deepcopy(odd(choose))
    return changed


def text(document: Any, data: bytes) -> bytes:
    """What a file holds: the bytes themselves, a good document, or one with damages that they choose."""
    if data[:1] == b"\x02":
        return json.dumps(document).encode("ascii")
    if data[:1] == b"\x01":
        return json.dumps(damaged(document, Choices(data[1:]))).encode("ascii")
    return data[1:]
