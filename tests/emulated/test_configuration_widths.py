"""How the library reads a device's whole configuration, as the device saw it."""

from __future__ import annotations

import pytest

from uvirtio.bus.emulated import open_emulated
from uvirtio.bus.locator import parse
from uvirtio.device import Device


@pytest.mark.parametrize("type_name", ["blk", "net", "console", "balloon", "input"])
def test_a_whole_configuration_is_read_field_by_field_in_each_ones_width(type_name: str) -> None:
    with open_emulated(parse(f"emulated:{type_name}")) as bus:
        device = Device(bus)
        size = bus.function.device.model.spec().config_size
        assert device.configuration.piece(0, size) == bytes(bus.function.device.model.config)
        assert [entry for entry in bus.log.faults() if entry.detail.startswith("access of")] == []
