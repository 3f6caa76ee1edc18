"""What guests there are: their memory and their devices. A guest test picks one with ``@pytest.mark.boot(NAME)``."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BOOTS", "DEFAULT", "Boot", "Device", "Served", "Stock"]


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device under test. `unpluggable` puts it behind a root port of its own, the only place QEMU unplugs from."""

    name: str
    unpluggable: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Served(Device):
    """A device of ours: ``uvirtio serve TYPE`` in a process of its own, in QEMU through vfio-user-pci."""

    type: str
    profile: str = "virtio-1.4"
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stock(Device):
    """A device that QEMU itself models: its driver and properties as for ``-device``."""

    driver: str


@dataclass(frozen=True, slots=True)
class Boot:
    """One guest: booted when the first test that wants it is due, and ended after the last one."""

    devices: tuple[Device, ...]
    memory: str = "1G"
    cpus: int = 1


_STOCK_RNG = Stock("qemu-rng", "virtio-rng-pci,disable-legacy=on")

BOOTS: dict[str, Boot] = {
    "main": Boot((_STOCK_RNG,)),
    "large": Boot((_STOCK_RNG,), memory="6G"),
    "unplug": Boot((Stock("qemu-rng", "virtio-rng-pci,disable-legacy=on", unpluggable=True),)),
}
DEFAULT = "main"
