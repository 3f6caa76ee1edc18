"""What a command of the inspector says, as the document of its ``--json``; and waiting for what it should come to say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from uvirtio_tools.cli import main

__all__ = ["shown", "within"]


def shown(capsys: pytest.CaptureFixture[str], *words: str, command: str = "show") -> Any:
    """The document of ``uvirtio COMMAND WORDS --json``, which has to succeed."""
    capsys.readouterr()
    assert main([command, *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes to hold within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return condition()
        time.sleep(0.05)
    return True
