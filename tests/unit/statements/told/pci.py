"""P: what configuration space says, the window into the BARs, vectors."""

from __future__ import annotations

from typing import Any

from uvirtio_tools.judging import names

from ..table import BROKEN, KEPT, MOOT, NOTED
from .reads import reading

_IDENTITY = {
    "vendor": 0x1AF4, "device": 0x1044, "revision": 1, "class_code": 0xFF0000, "subsystem_vendor": 0x1AF4, "subsystem": 0x1100,
    "interrupt_pin": 1,
}  # fmt: skip
_VERSION_1, _NOTIFICATION_DATA, _SR_IOV = 1 << 32, 1 << 38, 1 << 37


def capability(
    kind: int, offset: int = 0, length: int = 0x1000, *, size: int = 16, extra: str = "", bar: int = 4, id_: int = 0
) -> str:
    """A virtio structure capability (struct virtio_pci_cap, 4.1.4) in hex."""
    head = bytes((9, 0, size, kind, bar, id_, 0, 0))
    return (head + offset.to_bytes(4, "little") + length.to_bytes(4, "little")).hex() + extra


COMMON, ISR, DEVICE = capability(1), capability(3, 0x1000), capability(4, 0x2000)
WINDOW = capability(5, 0, 0, size=20, extra="00000000")


def notify(multiplier: int = 4, offset: int = 0x3000, length: int = 0x1000) -> str:
    """The notification structure."""
    return capability(2, offset, length, size=20, extra=multiplier.to_bytes(4, "little").hex())


def region(id_: int, offset: int = 0, length: int = 0x100) -> str:
    """A shared memory region in BAR 2."""
    return capability(8, offset, length, size=24, extra="0" * 16, bar=2, id_=id_)


def layout(
    *more: str, required: tuple[str, ...] = (COMMON, notify(), ISR, DEVICE, WINDOW), **other: Any
) -> tuple[str, Any]:
    """A read of a layout; ``other``: what is not as usual, ``identity`` its changes."""
    capabilities = [[0x40 + 0x18 * number, raw] for number, raw in enumerate((*required, *more))]
    usual: dict[str, Any] = {
        "capabilities": capabilities, "bars": {0: None, 1: None, 2: 0x1000, 3: None, 4: 0x4000, 5: None}, "legacy": False,
        "extended": [], "offered": _VERSION_1, "notify_offsets": {0: 0, 1: 1},
    }  # fmt: skip
    usual |= other
    usual["identity"] = _IDENTITY | other.get("identity", {})
    return names.LAYOUT, usual


_TRANSITIONAL = {"device": 0x1005, "subsystem": 4}
_TABLE = "110001000000000000000000"

for _id, _kept, _broken in (
    ("P1", layout(), layout(identity={"device": 0x1040})),
    ("P1", layout(identity=_TRANSITIONAL, legacy=True), layout(identity={"device": 0x1001, "subsystem": 4}, legacy=True)),
    ("P2", layout(), layout(identity=_TRANSITIONAL)),
    ("P3", layout(), layout(identity={"revision": 0})),
    ("P4", layout(), layout(identity={"subsystem": 4})),
    ("P5", layout(), layout("09000809"[:4] + "0409" + "00000000")),
    ("P6", layout(), layout(required=(COMMON, notify(), ISR))),
    ("P6", layout(), layout(required=(capability(1, 0x3800), notify(), ISR, WINDOW))),
    ("P7", layout(), layout(required=(COMMON, notify(), ISR, capability(4, 0x2002, 0x100), WINDOW))),
    ("P8", layout(), layout(notify_offsets={0: 0x400})),
    ("P8", layout(notify_offsets={0: 0x3FF}), layout(required=(COMMON, notify(3), ISR, WINDOW))),
    ("P8", layout(offered=_VERSION_1 | _NOTIFICATION_DATA),
     layout(offered=_VERSION_1 | _NOTIFICATION_DATA, required=(COMMON, notify(2), ISR, WINDOW))),
    ("P8", layout(), layout(required=(COMMON, notify(0, 0x3000, 2), ISR, WINDOW), offered=_VERSION_1 | _NOTIFICATION_DATA)),
    ("P9", layout(region(1)), layout(region(1, 0xF80))),
    ("P10", layout(region(1), region(2)), layout(region(1), region(1))),
    ("P11", layout("09000c09010000000000000000000000"), layout("09000c09f41a00000000000000000000")),
    ("P12", layout("09000c09010000000000000000000000"), layout("09000b09010000000000000000000000")),
    ("P14", layout(_TABLE), layout("110000000000000000000000")),
    ("P18", layout(extended=[0x10], offered=_VERSION_1 | _SR_IOV), layout(extended=[0x10])),
    ("P18", layout(), layout(offered=_VERSION_1 | _SR_IOV)),
):  # fmt: skip
    _also = {"P2": "P2 P4"}.get(_id, _id)
    reading(_id, KEPT, "", _kept)
    reading(_id, BROKEN, "", _broken, breaks=_also)

reading("P9", MOOT, "", layout(region(1), bars={2: "it cannot be mapped", 4: 0x4000}))
_LEGACY = layout(identity=_TRANSITIONAL, legacy=True)
for _id, _why, _read in (
    ("P2", "the device has a legacy interface", _LEGACY),
    ("P3", "the device has a legacy interface", _LEGACY),
    ("P4", "the device has a legacy interface", _LEGACY),
    ("P8", "there is no notification structure", layout(required=(COMMON, ISR, DEVICE, WINDOW))),
    ("P9", "the device has no shared memory region", layout()),
    ("P10", "fewer than two shared memory regions", layout(region(1))),
    ("P11", "the device has no vendor data", layout()),
    ("P12", "the device has no vendor data", layout()),
    ("P14", "the device has no MSI-X", layout()),
):
    reading(_id, MOOT, _why, _read, breaks="P6" if _id == "P8" else "")
for _id in ("P1", "P5", "P6", "P7", "P13", "P15", "P16", "P17", "P18"):
    reading(_id, MOOT, "there was no occasion to see it", (names.LAYOUT, "{}"), (f"{names.VECTOR}queue 0", "one"))

_STATUS, _SELECT = f"{names.WINDOW}device_status", f"{names.WINDOW_WRITE}queue_select"
reading("P13", KEPT, "1 reads through the window", (_STATUS, "0x3 0x3"), (_SELECT, "0x1 0x1"))
reading("P13", BROKEN, "device_status reads 0x0 through the window and 0x3 in its BAR", (_STATUS, "0x0 0x3"))
reading("P13", BROKEN, "queue_select reads 0x0 after 0x1 was written", (_STATUS, "0x3 0x3"), (_SELECT, "0x1 0x0"))
_MAPPED, _BEYOND, _AFTER = f"{names.VECTOR}queue 0", f"{names.NO_SUCH_VECTOR}queue 0", f"{names.VECTOR_RESET}queue 0"
reading("P15", KEPT, "2 mappings read back", (_MAPPED, "0x0 0x0"), (_MAPPED, "0xffff 0xffff"))
reading("P15", BROKEN, "queue 0: 0x0 after 0x1 was written", (_MAPPED, "0x0 0x0"), (_MAPPED, "0x1 0x0"))
reading("P16", KEPT, "1 events were mapped", (_MAPPED, "0x0 0x0"), (_AFTER, "0xffff"))
reading("P16", BROKEN, "queue 0 is mapped to 0x0", (_MAPPED, "0x0 0x0"), (_AFTER, "0x0"))
reading("P17", KEPT, "1 mappings to vectors that are not there", (_BEYOND, "0x7ff 0xffff"))
reading("P17", NOTED, "queue 0: 0x7ff after 0x7ff was written", (_BEYOND, "0x7ff 0x7ff"))
