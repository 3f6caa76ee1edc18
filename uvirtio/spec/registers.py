"""Register maps: name, offset and width of every register that a driver touches, and whether it may be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .features import Feature, Features

__all__ = [
    "COMMON",
    "COMMON_WITH",
    "ISR",
    "LEGACY",
    "LEGACY_CONFIG",
    "LEGACY_MSIX",
    "IsrBit",
    "Register",
    "RegisterMap",
    "features_beyond",
]


@dataclass(frozen=True, slots=True)
class Register:
    """One register: its name in the specification, byte offset in its structure, width in bytes, and whether it is written."""

    name: str
    offset: int
    width: int
    writable: bool

    @property
    def index(self) -> int:
        """Where it stands in a view whose elements have its width."""
        return self.offset // self.width


class RegisterMap:
    """The registers of one structure, by name as attributes' source and by offset for a trace."""

    def __init__(self, name: str, *registers: Register) -> None:
        self.name = name
        self.by_name = {register.name: register for register in registers}
        self.by_offset = {register.offset: register for register in registers}
        self.size = max(register.offset + register.width for register in registers)

    def __getitem__(self, name: str) -> Register:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Register]:
        return iter(self.by_name.values())

    def at(self, offset: int) -> Register | None:
        """The register that covers a byte offset, None in a gap."""
        for register in self.by_name.values():
            if register.offset <= offset < register.offset + register.width:
                return register
        return None


_RO, _RW = False, True

#: struct virtio_pci_common_cfg (4.1.4.3). 64-bit addresses are two 32-bit registers each (4.1.3.1).
COMMON = RegisterMap(
    "common",
    Register("device_feature_select", 0x00, 4, _RW),
    Register("device_feature", 0x04, 4, _RO),
    Register("driver_feature_select", 0x08, 4, _RW),
    Register("driver_feature", 0x0C, 4, _RW),
    Register("config_msix_vector", 0x10, 2, _RW),
    Register("num_queues", 0x12, 2, _RO),
    Register("device_status", 0x14, 1, _RW),
    Register("config_generation", 0x15, 1, _RO),
    Register("queue_select", 0x16, 2, _RW),
    Register("queue_size", 0x18, 2, _RW),
    Register("queue_msix_vector", 0x1A, 2, _RW),
    Register("queue_enable", 0x1C, 2, _RW),
    Register("queue_notify_off", 0x1E, 2, _RO),
    Register("queue_desc_lo", 0x20, 4, _RW),
    Register("queue_desc_hi", 0x24, 4, _RW),
    Register("queue_driver_lo", 0x28, 4, _RW),
    Register("queue_driver_hi", 0x2C, 4, _RW),
    Register("queue_device_lo", 0x30, 4, _RW),
    Register("queue_device_hi", 0x34, 4, _RW),
    Register("queue_notif_config_data", 0x38, 2, _RO),
    Register("queue_reset", 0x3A, 2, _RW),
    Register("admin_queue_index", 0x3C, 2, _RO),
    Register("admin_queue_num", 0x3E, 2, _RO),
)

#: Feature -> the last register of the common configuration that is there for it, which older structures are too short for.
COMMON_WITH: dict[Feature, str] = {
    Feature.NOTIF_CONFIG_DATA: "queue_notif_config_data",
    Feature.RING_RESET: "queue_reset",
    Feature.ADMIN_VQ: "admin_queue_num",
}


def features_beyond(length: int) -> Features:
    """The features whose registers lie beyond the end of a common configuration of so many bytes (4.1.4.3)."""
    ends = {bit: COMMON[name].offset + COMMON[name].width for bit, name in COMMON_WITH.items()}
    return Features.of(*(bit for bit, end in ends.items() if end > length))


#: ISR status (4.1.4.5): one byte, cleared by reading it.
ISR = RegisterMap("isr", Register("isr_status", 0x00, 1, _RO))


class IsrBit:
    """Bits of ISR status (4.1.4.5)."""

    QUEUE = 1
    CONFIG = 2


#: The value of a MSI-X vector register that means "no vector" (4.1.5.1.2).
NO_VECTOR = 0xFFFF

#: The legacy interface's header in BAR 0, an I/O BAR (4.1.4.10).
LEGACY = RegisterMap(
    "legacy",
    Register("device_features", 0x00, 4, _RO),
    Register("driver_features", 0x04, 4, _RW),
    Register("queue_address", 0x08, 4, _RW),
    Register("queue_size", 0x0C, 2, _RO),
    Register("queue_select", 0x0E, 2, _RW),
    Register("queue_notify", 0x10, 2, _RW),
    Register("device_status", 0x12, 1, _RW),
    Register("isr_status", 0x13, 1, _RO),
)
#: With MSI-X enabled two more registers follow, and the device configuration moves behind them (4.1.4.10).
LEGACY_MSIX = RegisterMap(
    "legacy-msix", Register("config_msix_vector", 0x14, 2, _RW), Register("queue_msix_vector", 0x16, 2, _RW)
)
#: Where the device configuration starts without and with MSI-X.
LEGACY_CONFIG = (0x14, 0x18)
