"""The kept inputs of each target, and new ones for some seconds; ``make soak`` does that for an hour each."""

from __future__ import annotations

import time

import pytest

from .engine import kept, run
from .targets import TARGETS

#: For each target; all together stay below two minutes.
SECONDS = 8.0


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_others_send_or_write_breaks(name: str) -> None:
    assert kept(name), "without seeds a fuzzer does not come far"
    seed = time.time_ns()
    assert run(name, TARGETS[name], SECONDS, seed) > len(kept(name))
