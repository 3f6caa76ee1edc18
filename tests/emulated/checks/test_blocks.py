"""A disk whose logical block is larger than a sector takes no less, and is judged as any other."""

from __future__ import annotations

import pytest

from tests.emulated.checks import proof

_DISKS = ("emulated:blk?size=1M&block=4096", "emulated:blk?size=1M&block=65536&features=-RING_PACKED")


@pytest.mark.parametrize("locator", _DISKS)
def test_requests_of_whole_blocks_show_what_a_disk_does(locator: str) -> None:
    shown = proof.shown(locator)
    assert proof.broken(shown) == set()
    assert {shown[id_] for id_ in ("BLK4", "BLK5", "BLK6")} == {"PASS"}


def test_a_write_to_a_read_only_disk_is_one_that_it_could_have_taken() -> None:
    locator = "emulated:blk?size=1M&block=4096&readonly=on"
    assert proof.shown(locator)["BLK3"] == "PASS"
    assert proof.shown(locator, "BLK3")["BLK3"] == "FAIL"
