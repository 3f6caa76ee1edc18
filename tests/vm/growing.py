"""A file of JSON lines that another writes while this reads: only what has come whole is taken."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["GrowingLines"]


class GrowingLines:
    """The lines of `path` from its beginning, each handed out once, when its newline has come.

    What is written through a shared folder becomes visible in parts: a line may be seen half, and so may a character.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._begun = b""

    def __enter__(self) -> GrowingLines:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def take(self) -> list[dict[str, Any]]:
        """What has come since the last call."""
        *whole, self._begun = (self._begun + self._file.read()).split(b"\n")
        return [json.loads(line) for line in whole]
