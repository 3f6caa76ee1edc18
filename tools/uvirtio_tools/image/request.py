"""What a guest is asked to do, as it stands on the kernel's command line.

| parameter | meaning |
|---|---|
| ``uvirtio.run="check --only core"`` | a command of uvirtio, or ``shell``; may stand several times; ``check`` without any |
| ``uvirtio.end=poweroff`` | how the machine ends: ``poweroff``, ``reboot``, ``halt`` |
| ``uvirtio.events=change_config,set_link`` | what the host does when it is asked by a line on the console |
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uvirtio.bus.locator import SCHEMES

__all__ = ["DOCUMENTS", "ENDS", "RESULTS", "Request", "parameters", "read", "words_of"]

#: how the machine ends -> the status by which the first process hears of it (system.py).
ENDS = {"reboot": 100, "poweroff": 101, "halt": 102}

#: Commands that judge or drive devices, which get this machine's where none is named: with one or with any number of them.
_ONE = frozenset({"suspend"})
_SEVERAL = frozenset({"check", "survive"})
#: Those that write results into files, and those whose document comes on standard output.
RESULTS, DOCUMENTS = frozenset({"check"}), frozenset({"suspend", "survive"})


@dataclass(frozen=True, slots=True)
class Request:
    """The commands, how the machine ends, and the events that the host carries out."""

    runs: tuple[str, ...] = ("check",)
    end: str = "poweroff"
    events: tuple[str, ...] = ()


def parameters(line: str) -> Iterator[tuple[str, str]]:
    """Name and value of each parameter, split as the kernel does it: a double quote keeps blanks together."""
    words: list[str] = [""]
    quoted = False
    for sign in line:
        if sign == '"':
            quoted = not quoted
        elif sign.isspace() and not quoted:
            words.append("")
        else:
            words[-1] += sign
    for word in filter(None, words):
        name, _, value = word.partition("=")
        yield name, value


def read(line: str) -> Request:
    """What a kernel's command line asks for. What it does not understand is told as the command that it stands for is run."""
    runs: list[str] = []
    end = "poweroff"
    events: tuple[str, ...] = ()
    for name, value in parameters(line):
        if name == "uvirtio.run":
            runs.append(value)
        elif name == "uvirtio.end" and value in ENDS:
            end = value
        elif name == "uvirtio.events":
            events = tuple(filter(None, value.split(",")))
    return Request(tuple(runs) or ("check",), end, events)


def words_of(run: str, devices: Sequence[str], events: Sequence[str] = (), ask: str = "") -> list[list[str]]:
    """The command lines that a run stands for: with this machine's devices where it names none, one for each or one for all.

    None where there is no device. ``ask``: the program that asks the host for an event, where it carries out any. Raises
    ValueError for quotes that do not close.
    """
    words = shlex.split(run)
    if not words or words[0] not in _ONE | _SEVERAL:
        return [words or ["check"]]
    if words[0] == "check" and events and ask and "--trigger-command" not in words:
        words += ["--trigger-command", ask]
    elif words[0] == "survive" and ask and "--event" not in words:
        for event in events:
            words += ["--event", f"{event}={ask} {event}"]
    if _named(words):
        return [words]
    if words[0] in _ONE:
        return [[*words, device] for device in devices]
    return [[*words, *devices]] if devices else []


def _named(words: Sequence[str]) -> bool:
    """Whether a command line names a device: what looks like a locator, since the options' values never do."""
    return any(word.partition(":")[0] in SCHEMES or _slot(word) for word in words[1:]) or "--list" in words


def _slot(word: str) -> bool:
    return re.fullmatch(r"([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]|virtio\d+", word) is not None
