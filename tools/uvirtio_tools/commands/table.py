"""The commands with their options and arguments as data, read from the parser: what the documents are made from."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from ..cli import COMMANDS, build_parser

__all__ = ["Command", "Option", "commands"]


class Option(NamedTuple):
    """An option of a command, or with no ``flags`` one of its arguments. ``repeats``: it may be given several times."""

    flags: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...]
    repeats: bool

    @property
    def usage(self) -> str:
        """``--cycles N``, ``-o FILE, --output FILE``, ``LOCATOR``."""
        if not self.flags:
            return self.value
        return ", ".join(f"{flag} {self.value}".strip() for flag in self.flags)


class Command(NamedTuple):
    """A command with what it takes."""

    name: str
    help: str
    usage: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]


def commands() -> Iterator[Command]:
    """Every command, in the order of the help."""
    parser = build_parser(None)
    action = next(entry for entry in parser._actions if isinstance(entry, argparse._SubParsersAction))
    for name in COMMANDS:
        sub = action.choices[name]
        found = [_option(entry) for entry in sub._actions if entry.dest != "help" and entry.help != argparse.SUPPRESS]
        yield Command(
            name,
            COMMANDS[name],
            " ".join(sub.format_usage().removeprefix("usage: ").split()),
            tuple(option for option in found if option.flags),
            tuple(option for option in found if not option.flags),
        )


def _option(action: argparse.Action) -> Option:
    takes = action.nargs != 0
    name = action.metavar or (None if action.choices else action.dest.upper())
    choices = tuple(str(choice) for choice in action.choices or ())
    value = (str(name) if name else "{" + ",".join(choices) + "}") if takes else ""
    text = (action.help or "") % {"default": action.default, "prog": "uvirtio"}
    return Option(tuple(action.option_strings), value, text, choices, _repeats(action))


def _repeats(action: argparse.Action) -> bool:
    return action.nargs in ("*", "+") or isinstance(action, argparse._AppendAction | argparse._CountAction)
