"""A served device under load answers, ends when it is told to, and needs no more memory than at first."""

from __future__ import annotations

from pathlib import Path

from .load import measure


def test_a_minute_of_load(tmp_path: Path) -> None:
    measured = measure(tmp_path, 60.0)
    assert measured.median < 0.05, measured
    assert measured.end < 1.0, measured
    assert measured.memory[1] < measured.memory[0] + (16 << 20), measured
    assert all(used > 20 for used in measured.used), measured
