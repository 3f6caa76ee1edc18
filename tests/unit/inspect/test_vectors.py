"""The vectors of MSI-X in a description: table, masks, pending bits, and what is mapped to each."""

from __future__ import annotations

import io

from rich.console import Console

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.messages import Way
from uvirtio_drivers.rng import Rng
from uvirtio_tools.inspect.build import Place, describe_place
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.render import device_sections


def _described(function: EmulatedBus) -> Description:
    return describe_place(
        Place(function.locator, function.bus, "registers", function.config, function.bar, function.clock)
    )


def _text(description: Description) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    for part in device_sections(description):
        console.print(part)
    return console.export_text()


def test_vectors_that_nobody_uses_are_told_and_not_shown() -> None:
    function = open_function("emulated:rng")
    assert isinstance(function, EmulatedBus)
    with function:
        found = _described(function)
        assert [(row.number, row.masked, row.pending, row.events) for row in found.vectors] == [
            (0, True, False, ()), (1, True, False, ()),
        ]  # fmt: skip
        assert "mapped to it" not in _text(found)


def test_vectors_in_use_are_shown_with_what_is_mapped_and_pending() -> None:
    function = open_function("emulated:rng")
    assert isinstance(function, EmulatedBus)
    with Device(function) as device:
        device.reset()
        device.use_messages(Way.PENDING)
        device.initialise(Rng.FEATURES, Rng.queues(device))
        function.function.interrupts.queue(0, 1)
        found = _described(function)
        assert [(row.events, row.pending) for row in found.vectors] == [
            (("configuration",), False),
            (("queue 0",), True),
        ]
        assert found.vectors[1].data
        assert found.interrupt is not None
        assert found.interrupt.msix_enabled
        text = _text(found)
        assert "mapped to it" in text
        assert f"{found.vectors[1].address:#x}" in text


def test_a_table_that_cannot_be_read_is_a_problem_and_not_the_end() -> None:
    function = open_function("emulated:rng")
    assert isinstance(function, EmulatedBus)
    with function:
        at = next(at for at in range(0x40, 0xF0, 4) if function.config.u8[at] == 0x11)
        data = function.function.pci._data
        data[at + 4] = 7  # a BAR that there is not
        found = _described(function)
        assert found.vectors == ()
        assert any("the vectors of MSI-X could not be read" in problem for problem in found.problems)
        assert found.queues
