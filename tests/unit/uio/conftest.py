"""A fake machine with one entropy device, and a folder for journals and locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.uio.fake import FakeMachine


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = FakeMachine(tmp_path / "machine")
    found.add()
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"
