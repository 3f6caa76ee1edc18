"""The parser of the command line: what it says of words that it does not know, and how its help looks."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from uvirtio.foreign import printable

__all__ = ["Parser", "near"]

_CHOICES = re.compile(r"invalid choice: (?P<word>'.*'|\".*\") \(choose from (?P<choices>.*)\)")
_QUOTED = re.compile(r"'([^']*)'")


def near(word: str, known: Iterable[str]) -> str:
    """The sentence that asks whether a known word was meant; empty where none is near."""
    import difflib  # for who mistypes alone

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


class Parser(argparse.ArgumentParser):
    """Takes no abbreviations, options before and after operands, and asks whether a word that is nearly right was meant.

    Its errors quote the words, and a shell makes words of the names of others' files.
    """

    #: What the words after ``--`` are called among the options, where a command passes them on; empty where it does not.
    rest = ""

    def __init__(self, *args: object, examples: Sequence[str] = (), **more: object) -> None:
        if examples:
            more["epilog"] = "\n".join(["examples:", *(f"  {line}" for line in examples)])
        more.setdefault("allow_abbrev", False)
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def parse_words(self, words: list[str], into: argparse.Namespace) -> argparse.Namespace:
        """All of them. What is not known ends the process, with the usage of this command."""
        if self.rest:
            end = words.index("--") if "--" in words else len(words)
            words, passed_on = words[:end], words[end + 1 :]
            setattr(into, self.rest, passed_on)
        try:
            args, extra = self.parse_known_intermixed_args(words, into)
        except TypeError:  # what it has cannot be intermixed
            args, extra = self.parse_known_args(words, into)
        if extra:
            flags = [flag for action in self._actions for flag in action.option_strings]
            hints = [near(word.partition("=")[0], flags) for word in extra if word.startswith("-")]
            self.error(f"unrecognized arguments: {' '.join(extra)}{next(filter(None, hints), '')}")
        return args

    def error(self, message: str) -> NoReturn:
        """See :class:`argparse.ArgumentParser`."""
        if match := _CHOICES.search(message):
            word, listed = match["word"][1:-1], match["choices"]
            # Python quotes them up to 3.12.
            choices = _QUOTED.findall(listed) or listed.split(", ")
            message += near(word, choices)
        super().error(printable(message, lines=True))

    def _get_formatter(self) -> argparse.HelpFormatter:
        if sys.stdout.isatty():
            # Imported for a person who looks at it alone; Debian 12 has none, and help without colours is help.
            with contextlib.suppress(ModuleNotFoundError):
                from rich_argparse import RawDescriptionRichHelpFormatter

                return RawDescriptionRichHelpFormatter(prog=self.prog)
        return argparse.RawDescriptionHelpFormatter(prog=self.prog)
