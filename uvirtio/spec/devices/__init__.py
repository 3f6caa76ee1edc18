"""What each device type adds: feature bits, configuration fields, queues (virtio 1.4, chapter 5).

One module per type, imported when it is asked for. :func:`device_spec` gives a type's table, the other functions
look things up in it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import NamedTuple

from ...plugins import plugins
from ..dialects import DIALECTS
from ..features import Features
from ..ids import TYPES_GROUP, DeviceType, type_name
from .common import COMMON, DRAFTS, LINUX
from .model import DeviceSpec, FeatureBit, Field, QueueName

__all__ = [
    "TYPES",
    "DeviceSpec",
    "FeatureBit",
    "FeatureText",
    "Field",
    "QueueName",
    "describe_feature",
    "device_spec",
    "queue_name",
]

#: device type -> the module that holds its table.
TYPES: dict[int, str] = {
    DeviceType.NET: "net",
    DeviceType.BLK: "blk",
    DeviceType.CONSOLE: "console",
    DeviceType.RNG: "rng",
    DeviceType.BALLOON: "balloon",
    DeviceType.SCSI: "scsi",
    DeviceType.P9: "p9",
    DeviceType.GPU: "gpu",
    DeviceType.RTC: "rtc",
    DeviceType.INPUT: "input",
    DeviceType.VSOCK: "vsock",
    DeviceType.CRYPTO: "crypto",
    DeviceType.IOMMU: "iommu",
    DeviceType.MEM: "mem",
    DeviceType.SOUND: "sound",
    DeviceType.FS: "fs",
    DeviceType.PMEM: "pmem",
    DeviceType.RPMB: "rpmb",
    DeviceType.SCMI: "scmi",
    DeviceType.I2C_ADAPTER: "i2c",
    DeviceType.CAN: "can",
    DeviceType.GPIO: "gpio",
    DeviceType.SPI: "spi",
    DeviceType.MEDIA: "media",
}

#: Titles of types that chapter 5 lists and does not describe.
_RESERVED: dict[int, str] = {
    DeviceType.IOMEM: "ioMemory",
    DeviceType.RPMSG: "rpmsg",
    DeviceType.MAC80211_WLAN: "mac80211 wlan",
    DeviceType.RPROC_SERIAL: "rproc serial",
    DeviceType.CAIF: "virtio CAIF",
    DeviceType.MEMORY_BALLOON: "memory balloon",
    DeviceType.SIGNAL_DIST: "signal distribution module",
    DeviceType.PSTORE: "pstore device",
    DeviceType.MAC80211_HWSIM: "mac80211 hwsim wireless simulation device",
    DeviceType.VIDEO_ENCODER: "video encoder device",
    DeviceType.VIDEO_DECODER: "video decoder device",
    DeviceType.NITRO_SEC_MOD: "NitroSecureModule",
    DeviceType.WATCHDOG: "watchdog",
    DeviceType.PARAM_SERV: "parameter server",
    DeviceType.AUDIO_POLICY: "audio policy device",
    DeviceType.BT: "Bluetooth device",
    DeviceType.RDMA: "RDMA device",
    DeviceType.CAMERA: "camera device",
    DeviceType.ISM: "ISM device",
    DeviceType.TEE: "TEE device",
    DeviceType.CPU_BALLOON: "CPU balloon device",
    DeviceType.USB: "USB controller",
}

#: Queues that any device may have beside its own (2.13).
_ADMIN = QueueName("adminq", 0, answered=True)


class FeatureText(NamedTuple):
    """A feature bit in words. ``origin`` is that of :class:`FeatureBit`, or ``unknown``; ``dialect``: a suspend dialect."""

    bit: int
    name: str
    sentence: str
    origin: str
    dialect: str = ""

    @property
    def known(self) -> bool:
        """Whether the bit has a meaning on this device type."""
        return self.origin != "unknown"


@cache
def device_spec(number: int) -> DeviceSpec:
    """The table of a device type; one that neither the specification nor a plug-in describes is empty but for its title."""
    module = TYPES.get(number)
    if number in _RESERVED:
        return DeviceSpec(number, _RESERVED[number])
    if module is None:
        others = (spec for spec in plugins(TYPES_GROUP).values() if spec.number == number)
        return next(others, DeviceSpec(number, f"unknown device type {number}"))
    spec = import_module(f".{module}", __name__).SPEC
    assert isinstance(spec, DeviceSpec)
    return spec


def _find(number: int, bit: int, legacy: bool) -> FeatureBit | None:
    own = [entry for entry in device_spec(number).features if entry.number == bit]
    general = [entry for entry in (*COMMON, *DRAFTS, *LINUX) if entry.number == bit]
    # Bits 41 and 42 have two meanings on a network device: the type's own holds on the legacy interface only.
    if own and general and own[0].origin == "legacy" and not legacy:
        return general[0]
    return next(iter(own + general), None)


def describe_feature(number: int, bit: int, *, legacy: bool = False) -> FeatureText:
    """Name and meaning of a feature bit (0 to 127) on a device type; ``legacy``: driven through the legacy interface."""
    entry = _find(number, bit, legacy)
    if entry is None:
        if 44 <= bit <= 49 or bit > 127 or 24 <= bit <= 43:
            sentence = "Reserved by virtio 1.4 (2.2); no device should offer it."
        else:
            sentence = f"Not defined for a {type_name(number)} device in virtio 1.4."
        return FeatureText(bit, f"unknown-{bit}", sentence, "unknown")
    # A bit that the type defines for itself is no suspend bit.
    own = entry in device_spec(number).features
    dialects = [] if own else [dialect.name for dialect in DIALECTS.values() if dialect.feature == bit]
    sentence = entry.meaning
    if entry.origin == "legacy":
        sentence += " (Legacy interface only.)"
    return FeatureText(bit, entry.name, sentence, entry.origin, dialects[0] if dialects else "")


def fields_within(number: int, features: Features, length: int) -> list[Field]:
    """The fields, those of one size, that a device with these features has in a configuration of so many bytes (2.5.1)."""
    return [
        field
        for field in device_spec(number).fields
        if field.exists(features) and not field.counted_by and field.offset + field.size <= length
    ]


def queue_name(
    number: int, index: int, total: int, features: Features, offered: Features | None = None
) -> QueueName | None:
    """What a queue of a device type is for; None where the specification has no such queue.

    ``total``: ``num_queues`` of the device; ``features``: those that were accepted, or those offered before that.
    ``offered``: by which the device numbers its queues, if more than those. The name is filled in; ``index`` of the result
    is the queue's own.
    """
    spec = device_spec(number)
    present = [queue for queue in spec.queues if queue.exists(features)]
    for queue in present:
        rows = not queue.last_with or any(bit in features for bit in queue.last_with)
        if queue.last and index == (max(total - 1, queue.index) if rows else queue.index):
            return _numbered(queue, index, 0)
    for queue in present:
        if queue.step and index >= queue.index and (index - queue.index) % queue.step == 0:
            first = _row_start(present, queue)
            if index >= first:
                return _numbered(queue, index, (index - first) // queue.step)
    single = _alone(spec, features if offered is None else offered, total).get(index)
    return _numbered(single, index, 0) if single is not None and single.exists(features) else None


def _alone(spec: DeviceSpec, offered: Features, total: int) -> dict[int, QueueName]:
    """The queues that are not of a row, by their index in a device with so many queues.

    Implementations leave no gap for a queue whose feature is missing (QEMU's balloon), whatever the text says. Where the
    text's numbers do not fit into the device it is such a one.
    """
    there = [queue for queue in spec.queues if not queue.step and not queue.last and queue.exists(offered)]
    if there and there[-1].index < total:
        return {queue.index: queue for queue in there}
    return dict(enumerate(there))


def _row_start(present: list[QueueName], row: QueueName) -> int:
    """Where a row begins: behind queues of their own that stand at its first index because of a feature."""
    start = row.index
    while any(not queue.step and not queue.last and queue.index == start for queue in present):
        start += row.step
    return start


def _numbered(queue: QueueName, index: int, position: int) -> QueueName:
    name = queue.name.replace("{n}", str(queue.base + position))
    return QueueName(name, index, queue.answered, features=queue.features)
