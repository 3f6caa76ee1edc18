"""Records from JSON: what a file may hold and no record can is refused."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from uvirtio.errors import SnapshotError
from uvirtio_tools.codec import decode


class Moment(NamedTuple):
    """A record with a time."""

    time: float


@pytest.mark.parametrize("time", [10**309, -(10**400), True, "1", None], ids=lambda time: repr(time)[:8])
def test_what_no_float_can_hold_is_no_time(time: object) -> None:
    with pytest.raises(SnapshotError, match=r"\.time: .* is not what stands here"):
        decode(Moment, {"time": time}, "line 1")


@pytest.mark.parametrize("time", [0, -1, 1.5, 10**300, float("inf")], ids=lambda time: repr(time)[:8])
def test_any_other_number_is_one(time: float) -> None:
    assert decode(Moment, {"time": time}).time == time
