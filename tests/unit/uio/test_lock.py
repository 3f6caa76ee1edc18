"""Locks and journals of functions: a link in their place is not followed, and a descriptor is closed once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from uvirtio.bus.uio.journal import Journal
from uvirtio.bus.uio.lock import FunctionLock
from uvirtio.errors import CannotRun

BDF = "0000:00:05.0"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return path


def test_a_second_release_closes_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FunctionLock(BDF, run)
    closed: list[int] = []
    really = os.close

    def close(handle: int) -> None:
        closed.append(handle)
        if len(closed) == 1:
            really(handle)

    monkeypatch.setattr(os, "close", close)
    lock.release()
    lock.release()
    with lock:
        pass
    assert len(closed) == 1


def test_a_lock_that_is_a_link_is_refused_and_its_target_left_alone(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("somebody's")
    (run / f"{BDF}.lock").symlink_to(target)
    with pytest.raises(CannotRun, match="cannot open"):
        FunctionLock(BDF, run)
    assert target.read_text() == "somebody's"


def test_a_lock_that_is_a_link_to_nothing_makes_no_file(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (run / f"{BDF}.lock").symlink_to(target)
    with pytest.raises(CannotRun, match="cannot open"):
        FunctionLock(BDF, run)
    assert not target.exists()


def test_a_journal_that_is_a_link_is_not_read(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("{}")
    target.chmod(0o600)
    journal = Journal(run)
    journal.path(BDF).symlink_to(target)
    with pytest.raises(CannotRun, match="cannot read the journal"):
        journal.read(BDF)
