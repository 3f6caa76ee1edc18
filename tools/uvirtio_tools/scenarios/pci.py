"""What configuration space says, the window that it has into the BARs, and the vectors of MSI-X."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from uvirtio.access.view import Region
from uvirtio.pci.capabilities import first_usable, msix_offset
from uvirtio.rules import offered
from uvirtio.rules.structures import IDS
from uvirtio.spec.pci import MsixControl, StructureCap, StructureType
from uvirtio.spec.registers import COMMON, NO_VECTOR
from uvirtio.transport.common_registers import CommonRegisters
from uvirtio.transport.modern import ModernTransport

from ..judging import names
from ..judging.ends import Skip
from ..judging.layouts import layout_of
from ..judging.stage import Stage
from . import DANGEROUS, scenario

__all__ = ["registers_of"]

#: Vectors that no table has, since it has 2048 entries at most, and how many that there are are tried.
_BEYOND, _TRIED = (0x7FF, 0xFFFE), 4


def registers_of(stage: Stage) -> CommonRegisters:
    """The common configuration. Raises :class:`Skip` for a device with the legacy interface alone."""
    transport = stage.device.transport
    if not isinstance(transport, ModernTransport):
        raise Skip("the device is driven through its legacy interface, which this does not speak of")
    return transport.registers


@scenario("read the layout of configuration space", *IDS, *offered.IDS, dialects=())
def layout(stage: Stage) -> None:
    """Ids, capabilities, BARs, and what the offered features and the queues make of them."""
    registers = registers_of(stage)
    stage.device.begin()
    stage.read(names.LAYOUT, layout_of(stage.device, registers))


class _Window:
    """The PCI configuration access capability (4.1.4.9): one register at a time."""

    def __init__(self, config: Region, at: int) -> None:
        self._config = config
        self._at = at

    def _aim(self, bar: int, offset: int, width: int) -> None:
        self._config.u8[self._at + StructureCap.BAR] = bar
        self._config.u32[(self._at + StructureCap.STRUCTURE_OFFSET) // 4] = offset
        self._config.u32[(self._at + StructureCap.STRUCTURE_LENGTH) // 4] = width

    def read(self, bar: int, offset: int, width: int) -> int:
        self._aim(bar, offset, width)
        return self._config.read(self._at + StructureCap.PCI_CFG_DATA, width)

    def write(self, bar: int, offset: int, width: int, value: int) -> None:
        self._aim(bar, offset, width)
        self._config.write(self._at + StructureCap.PCI_CFG_DATA, width, value)


#: Registers that are read through the window: 1, 2 and 4 bytes, none of which changes by being read.
_SEEN = ("config_generation", "num_queues", "queue_size", "device_feature")


@scenario("access registers through configuration space", "P13", dialects=())
def window(stage: Stage) -> None:
    """Registers are read and written through PCI_CFG, and compared with what they are in their BAR."""
    device, registers = stage.device, registers_of(stage)
    place = first_usable(device.capabilities, StructureType.COMMON, device.function.locator)
    windows = [
        capability.at
        for capability in device.capabilities
        if capability.structure is not None and capability.structure.type == StructureType.PCI_CFG
    ]
    if place is None or not windows:
        raise Skip("there is no capability of PCI configuration access")
    through = _Window(device.function.config, windows[0])
    device.begin()
    for page in (1, 0):
        registers.put("device_feature_select", page)
        for name in _SEEN:
            register = COMMON[name]
            read = through.read(place.bar, place.offset + register.offset, register.width)
            stage.read(f"{names.WINDOW}{name}", f"{read:#x} {registers.get(name):#x}")
    for name, value in (("device_feature_select", 1), ("queue_select", 1), ("driver_feature_select", 1)):
        register = COMMON[name]
        through.write(place.bar, place.offset + register.offset, register.width, value)
        stage.read(f"{names.WINDOW_WRITE}{name}", f"{value:#x} {registers.get(name):#x}")


@contextmanager
def _vectors_on(stage: Stage) -> Iterator[int]:
    """MSI-X on with every vector masked, so that nothing is sent; how many vectors there are. Off again in the end."""
    device = stage.device
    at = msix_offset(device.capabilities)
    if at is None:
        raise Skip("the device has no MSI-X")
    config = device.function.config
    before = config.u16[at // 2]
    if before & MsixControl.ENABLE:
        raise Skip("MSI-X is in use")
    config.u16[at // 2] = before | MsixControl.ENABLE | MsixControl.FUNCTION_MASK
    try:
        yield (before & MsixControl.SIZE_MASK) + 1
    finally:
        config.u16[at // 2] = before


def _map(registers: CommonRegisters, name: str, vector: int) -> int:
    registers.put(name, vector)
    return registers.get(name)


@scenario("map events to vectors", "P15", "P16", "P17", dialects=(), order=DANGEROUS)
def vectors(stage: Stage) -> None:
    """Every event is mapped to vectors and unmapped, to vectors that are not there, and then the device is reset."""
    device, registers = stage.device, registers_of(stage)
    with _vectors_on(stage) as count:
        device.begin()
        events = [("configuration", "config_msix_vector")]
        events += [(f"queue {index}", "queue_msix_vector") for index in range(min(device.transport.queue_count(), 2))]
        for event, name in events:
            if event != "configuration":
                registers.put("queue_select", int(event.split()[1]))
            for vector in (*range(min(count, _TRIED)), count - 1, NO_VECTOR, 0):
                stage.read(f"{names.VECTOR}{event}", f"{vector:#x} {_map(registers, name, vector):#x}")
            with device.deviating("4.1.5.1.2.2", "vectors that are not there have to be refused"):
                for vector in (count, *_BEYOND):  # the first that is not there, and some far out
                    stage.read(f"{names.NO_SUCH_VECTOR}{event}", f"{vector:#x} {_map(registers, name, vector):#x}")
            _map(registers, name, 0)
        device.reset()
        for event, name in events:
            if event != "configuration":
                registers.put("queue_select", int(event.split()[1]))
            stage.read(f"{names.VECTOR_RESET}{event}", f"{registers.get(name):#x}")
