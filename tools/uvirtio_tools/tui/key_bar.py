"""The last line: the keys of the place where one is, the most needed first, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

__all__ = ["KeyBar"]

#: What is always there.
_ALWAYS = (("?", "help"), ("q", "quit"))


class KeyBar(Static):
    """Pairs of a key and what it does."""

    def __init__(self) -> None:
        super().__init__("", id="keys", markup=False)
        self._pairs: Sequence[tuple[str, str]] = ()

    def show(self, pairs: Sequence[tuple[str, str]]) -> None:
        """These go for now."""
        self._pairs = pairs
        self.refresh()

    def render(self) -> Text:
        """As many as there is room for."""
        room = self.size.width + 2 - sum(len(key) + len(what) + 3 for key, what in _ALWAYS)
        text = Text()
        for key, what in self._pairs:
            length = len(key) + len(what) + 3
            if length > room:
                break
            room -= length
            _add(text, key, what)
        for key, what in _ALWAYS:
            _add(text, key, what)
        return text


def _add(text: Text, key: str, what: str) -> None:
    text.append(key, style="reverse bold")
    text.append(f" {what}  ")
