"""What guests there are: their memory and their devices. A guest test picks one with ``@pytest.mark.boot(NAME)``."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BOOTS", "DEFAULT", "Boot", "Device", "Served", "Stock"]


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device under test.

    `unpluggable` puts it behind a root port of its own, the only place QEMU unplugs from. `msix=False` keeps the
    guest's kernel from using MSI-X on it, so that its driver takes INTx.
    """

    name: str
    unpluggable: bool = field(default=False, kw_only=True)
    msix: bool = field(default=True, kw_only=True)


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
    "main": Boot(
        (
            _STOCK_RNG,
            Served("rng-1.4", "rng", options=("--latency", "0.01")),
            Served("rng-intx", "rng", msix=False),
            Served("rng-crosvm", "rng", "crosvm"),
            Served("rng-rfc", "rng", "rfc"),
            Served("rng-store", "rng", "qemu-store"),
            Served("rng-stuck", "rng", "stuck"),
            Served("rng-refuses", "rng", "refuses"),
            Served("rng-refuses-resume", "rng", "refuses-resume"),
            Served("rng-doomed", "rng"),
        )
    ),
    "types": Boot(
        (
            Served("blk", "blk", options=("--latency", "0.01", "--set", "queues=2")),
            Served("net", "net", options=("--latency", "0.01")),
            Served("net-station", "net", options=("--set", "peer=responder")),
            Served("console", "console", options=("--latency", "0.01")),
            Served("balloon", "balloon", options=("--latency", "0.01")),
            Served("input", "input", options=("--latency", "0.01")),
        )
    ),
    "large": Boot((_STOCK_RNG, Served("rng-1.4", "rng")), memory="6G"),
    "zoo": Boot(
        (
            _STOCK_RNG,
            Stock("qemu-net", "virtio-net-pci,disable-legacy=on,mac=52:54:00:0a:0b:0c"),
            Stock("qemu-balloon", "virtio-balloon-pci,disable-legacy=on"),
            Stock("qemu-input", "virtio-keyboard-pci"),
            Stock("qemu-scsi", "virtio-scsi-pci,disable-legacy=on,num_queues=1"),
            Stock("qemu-gpu", "virtio-gpu-pci"),
            Served("rng-1.4", "rng"),
        )
    ),
    "unplug": Boot(
        (
            Stock("qemu-rng", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
            Stock("spare", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
            Stock("shown", "virtio-rng-pci,disable-legacy=on", unpluggable=True),
        )
    ),
}
DEFAULT = "main"
