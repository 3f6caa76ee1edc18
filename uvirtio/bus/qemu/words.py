"""QEMU's own options as a person writes them: split into words, and what of them is said about the machine as a whole."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from ...errors import LocatorError

__all__ = ["MachineOptions", "split"]

_SIZE = re.compile(r"(\d+)([bkmgt]?)", re.IGNORECASE)
_SHIFTS = {"": 20, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
#: Options of which QEMU takes one, and uvirtio's has to be it.
_OURS = {
    "-numa": "the guest's memory is one piece, shared with this process",
    "-mem-path": "the guest's memory is shared with this process",
    "-qtest": "uvirtio drives the device over it",
    "-incoming": "the device is brought up from nothing",
    "-S": "there is no guest that could be held back",
}


def split(text: str) -> list[str]:
    """The words of a command line, quotes and backslashes as in a shell; a JSON object needs no quotes around it.

    Raises :class:`LocatorError`.
    """
    words: list[str] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return words
        if text[at] == "{":
            try:
                _, end = json.JSONDecoder().raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise LocatorError(
                    f"QEMU options: what begins with {text[at : at + 20]!r} is not JSON: {error}"
                ) from error
            words.append(text[at:end])
        else:
            end = _end_of_word(text, at)
            try:
                words += shlex.split(text[at:end])
            except ValueError as error:
                raise LocatorError(f"QEMU options {text!r} cannot be split into words: {error}") from error
        at = end


def _end_of_word(text: str, at: int) -> int:
    quote = ""
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char.isspace():
            break
        at += 1
    return min(at, len(text))


@dataclass(slots=True)
class MachineOptions:
    """What a command line says about the machine; :meth:`take` parts it from the rest.

    ``machine``: name and options as one word, empty where nothing was said; ``accelerators`` in order; ``memory``: bytes, 0
    where nothing was said.
    """

    machine: str = ""
    accelerators: list[str] = field(default_factory=list)
    memory: int = 0

    def take(self, words: list[str]) -> list[str]:
        """The words without those that are about the machine. Raises :class:`LocatorError` for what cannot be had here."""
        rest: list[str] = []
        left = iter(words)
        for word in left:
            option = "-" + word.lstrip("-") if word.startswith("-") else word
            if option in _OURS:
                raise LocatorError(f"QEMU option {word} is not possible here: {_OURS[option]}")
            if option in ("-machine", "-M"):
                self._machine(next(left, ""))
            elif option == "-accel":
                self.accelerators.append(next(left, ""))
            elif option == "-enable-kvm":
                self.accelerators.append("kvm")
            elif option == "-m":
                if more := self._memory(next(left, "")):
                    rest += ["-m", more]
            else:
                rest.append(word)
        return rest

    def _machine(self, text: str) -> None:
        kept = []
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name == "accel":
                self.accelerators += value.split(":")
            else:
                kept.append(value if name == "type" else part)
        self.machine = ",".join(kept)

    def _memory(self, text: str) -> str:
        """What is left of ``-m`` without the size."""
        kept = []
        for number, part in enumerate(text.split(",")):
            name, equals, value = part.partition("=")
            if name != "size" and (equals or number):
                kept.append(part)
            elif match := _SIZE.fullmatch(value if equals else part):
                self.memory = int(match[1]) << _SHIFTS[match[2].lower()]
            else:
                raise LocatorError(f"QEMU option -m {text}: {part!r} is no size")
        return ",".join(kept)
