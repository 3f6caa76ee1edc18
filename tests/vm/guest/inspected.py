"""What a command of the inspector says, as the document of its ``--json``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uvirtio_tools.cli import main

__all__ = ["shown"]


def shown(capsys: pytest.CaptureFixture[str], *words: str, command: str = "show") -> Any:
    """The document of ``uvirtio COMMAND WORDS --json``, which has to succeed."""
    capsys.readouterr()
    assert main([command, *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)
