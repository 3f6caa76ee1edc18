"""PCI ids of virtio devices and the virtio device types (virtio 1.4, 4.1.2 and chapter 5)."""

from __future__ import annotations

from enum import IntEnum

from ..plugins import plugins

__all__ = [
    "MODERN_BASE",
    "TRANSITIONAL",
    "TYPES_GROUP",
    "VENDOR",
    "DeviceType",
    "device_type",
    "is_transitional_id",
    "is_type",
    "is_virtio",
    "type_name",
]

#: Entry points of device types that the specification does not have.
TYPES_GROUP = "uvirtio.types"
#: PCI vendor id of every virtio device.
VENDOR = 0x1AF4
#: A modern device's PCI device id is this plus its device type.
MODERN_BASE = 0x1040
MODERN_LAST = 0x107F


class DeviceType(IntEnum):
    """Virtio device ids (chapter 5). The lower-case name is the one that locators and reports use."""

    NET = 1
    BLK = 2
    CONSOLE = 3
    RNG = 4
    BALLOON = 5
    IOMEM = 6
    RPMSG = 7
    SCSI = 8
    P9 = 9
    MAC80211_WLAN = 10
    RPROC_SERIAL = 11
    CAIF = 12
    MEMORY_BALLOON = 13
    GPU = 16
    RTC = 17
    INPUT = 18
    VSOCK = 19
    CRYPTO = 20
    SIGNAL_DIST = 21
    PSTORE = 22
    IOMMU = 23
    MEM = 24
    SOUND = 25
    FS = 26
    PMEM = 27
    RPMB = 28
    MAC80211_HWSIM = 29
    VIDEO_ENCODER = 30
    VIDEO_DECODER = 31
    SCMI = 32
    NITRO_SEC_MOD = 33
    I2C_ADAPTER = 34
    WATCHDOG = 35
    CAN = 36
    PARAM_SERV = 38
    AUDIO_POLICY = 39
    BT = 40
    GPIO = 41
    RDMA = 42
    CAMERA = 43
    ISM = 44
    SPI = 45
    TEE = 46
    CPU_BALLOON = 47
    MEDIA = 48
    USB = 49


#: Transitional PCI device ids (4.1.2.1) and the types that they are for.
TRANSITIONAL: dict[int, DeviceType] = {
    0x1000: DeviceType.NET,
    0x1001: DeviceType.BLK,
    0x1002: DeviceType.BALLOON,
    0x1003: DeviceType.CONSOLE,
    0x1004: DeviceType.SCSI,
    0x1005: DeviceType.RNG,
    0x1009: DeviceType.P9,
}
TRANSITIONAL_LAST = 0x103F


def is_transitional_id(device: int) -> bool:
    """Whether a PCI device id lies in the range of legacy and transitional devices (0x1000-0x103f)."""
    return 0x1000 <= device <= TRANSITIONAL_LAST


def is_virtio(vendor: int, device: int) -> bool:
    """Whether vendor and device id are those of a virtio device (4.1.2)."""
    return vendor == VENDOR and 0x1000 <= device <= MODERN_LAST


def device_type(device: int, subsystem: int = 0) -> int:
    """The virtio device id of a PCI function. A modern PCI device id says it (4.1.2).

    Of a transitional device it is the subsystem id (4.1.2.3), which is what drivers go by; where that is no type, the
    PCI device id's row in the table of 4.1.2.1 has to do.
    """
    if device >= MODERN_BASE:
        return device - MODERN_BASE
    return subsystem if is_type(subsystem) else TRANSITIONAL.get(device, subsystem)


def is_type(number: int) -> bool:
    """Whether a number is a device type, of the specification (chapter 5) or of a plug-in."""
    return _name(number) is not None


def type_name(number: int) -> str:
    """The short name of a device type: ``rng``, ``blk``; ``type-63`` where neither the specification nor a plug-in has one."""
    return _name(number) or f"type-{number}"


def _name(number: int) -> str | None:
    try:
        return DeviceType(number).name.lower().replace("p9", "9p")
    except ValueError:
        return next((name for name, spec in plugins(TYPES_GROUP).items() if spec.number == number), None)
