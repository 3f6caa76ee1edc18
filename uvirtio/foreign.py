"""What somebody else wrote: text that is shown, and JSON that is parsed.

A hypervisor names its machine, a process names itself, a file or a peer says what it likes. None of it may steer a terminal,
pass for a line of ours, or make a parser run out of stack or memory.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["parse_json", "printable"]

#: How deep a document may be nested: ours are not deeper than ten.
DEPTH = 64
#: Digits of an integer: ours have at most 39, which are 128 bits.
_DIGITS = 40
_LONG = re.compile(rf"[0-9]{{{_DIGITS + 1}}}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def printable(text: object, *, lines: bool = False) -> str:
    """Text in which nothing is left that a terminal acts on: what is not printable is told as Python would write it.

    It stays on one line; with ``lines`` it keeps those that it has, and all but the first are indented, so that none of them
    passes for one of ours.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    if lines:
        return "\n  ".join(printable(line) for line in plain.split("\n"))
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in plain)


def parse_json(text: str | bytes, *, depth: int = DEPTH) -> Any:
    """A JSON document. Raises ValueError for what is none, is nested deeper than ``depth``, or has an endless integer."""
    import json  # here: every command tells something, and few parse

    if isinstance(text, bytes):
        text = text.decode()
    # The brackets are counted first: nothing is parsed, or walked through afterwards, that is deeper.
    if text.count("[") + text.count("{") > depth and _depth(text) > depth:
        raise ValueError(f"nested deeper than {depth}")
    return json.loads(text, parse_int=_integer if _LONG.search(text) else None)


def _integer(digits: str) -> int:
    # Nothing that is multiplied with it shall be larger than a float can be.
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _depth(text: str) -> int:
    level = deepest = 0
    for sign in re.findall(r"[][{}]", _STRING.sub("", text)):
        level += 1 if sign in "[{" else -1
        deepest = max(deepest, level)
    return deepest
