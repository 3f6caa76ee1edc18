"""RNG, BLK, NET, CON, INP: what device types owe beyond the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvirtio.access.trace import Used
from uvirtio.spec.devices.console import MULTIPORT
from uvirtio.spec.ids import DeviceType
from uvirtio_tools.judging import names
from uvirtio_tools.judging.observation import Kind

from ..table import BROKEN, KEPT, MOOT, TOLD, tells
from ..tale import Tale
from .reads import written

_FLUSH, _CONFIG_WCE = 9, 11
_CTRL_VQ, _CTRL_RX_EXTRA, _HASH_REPORT = 17, 20, 57


def of_type(
    kind: DeviceType, id_: str, said: tuple[Kind, str], *reads: tuple[str, Any], then: Callable[[Tale], None] | None = None,
    breaks: str | None = None,
) -> None:  # fmt: skip
    """A history of a device of this type, in which these are read; ``then``: what happens after that."""

    def tell(tale: Tale) -> None:
        tale.history.setting = tale.setting._replace(device_type=kind, type_name=kind.name.lower())
        with tale.scenario("what is read", id_):
            for name, value in reads:
                tale.reads(name, written(value))
            if then is not None:
                then(tale)

    tell.__name__ = f"{kind.name}_{len(reads)}_{said[1][:40]}_{then is not None}"
    tells(id_, said[0], said[1], breaks=breaks)(tell)


def offers(features: int = 0, **fields: int) -> tuple[str, Any]:
    """What a device offers: its features, and fields of 4 bytes."""
    found = {name: value.to_bytes(4, "little").hex() for name, value in fields.items()}
    return names.OFFER, {"features": 1 << 32 | features, "fields": found, "queues": 3}


def ports(count: int, queues: int) -> tuple[str, Any]:
    """What a console with MULTIPORT offers."""
    name, offer = offers(1 << MULTIPORT, max_nr_ports=count)
    return name, offer | {"queues": queues}


# -- rng


def uses(tale: Tale) -> None:
    """Buffers come back."""
    tale.started()
    tale.history.add(Used(tale.clock.now(), 0, 0, 64))
    tale.traffic(names.LAP)


def _empty(tale: Tale) -> None:
    tale.goes_wrong(names.LAP, "length 0", rule="random bytes")


of_type(DeviceType.RNG, "RNG1", (KEPT, "1 buffers had random bytes"), then=uses)
of_type(DeviceType.RNG, "RNG1", (BROKEN, "length 0"), then=_empty)
of_type(DeviceType.RNG, "RNG1", (MOOT, "there was no occasion to see it"))

# -- blk
for _id, _kept, _broken, _breaks in (
    ("BLK1", 1 << _FLUSH, 0, "BLK1"),
    ("BLK2", 1 << _FLUSH | 1 << _CONFIG_WCE, 1 << _CONFIG_WCE, "BLK1 BLK2"),
):
    of_type(DeviceType.BLK, _id, (KEPT, ""), offers(_kept))
    of_type(DeviceType.BLK, _id, (BROKEN, "FLUSH"), offers(_broken), breaks=_breaks)
    of_type(DeviceType.BLK, _id, (MOOT, "there was no occasion to see it"), (names.OFFER, "{}"))
_WRITE = f"{names.ANSWER}{names.READ_ONLY}"
of_type(DeviceType.BLK, "BLK3", (KEPT, "answered with IOERR"), (_WRITE, "IOERR"), (names.UNCHANGED, "1"))
of_type(DeviceType.BLK, "BLK3", (BROKEN, "answered with OK"), (_WRITE, "OK"), (names.UNCHANGED, "1"))
of_type(DeviceType.BLK, "BLK3", (BROKEN, "has changed"), (_WRITE, "IOERR"), (names.UNCHANGED, "0"))
of_type(DeviceType.BLK, "BLK3", (MOOT, "there was no occasion to see it"))
for _id, _what in (
    ("BLK4", names.ZEROES_FLAG),
    ("BLK4", names.DISCARD_FLAG),
    ("BLK5", names.UNMAP),
    ("BLK7", names.ZONE),
):
    of_type(DeviceType.BLK, _id, (KEPT, f"{_what}: UNSUPP"), (f"{names.ANSWER}{_what}", "UNSUPP"))
    of_type(DeviceType.BLK, _id, (BROKEN, f"{_what} was answered with OK"), (f"{names.ANSWER}{_what}", "OK"))
    of_type(DeviceType.BLK, _id, (MOOT, "there was no occasion to see it"))
of_type(DeviceType.BLK, "BLK6", (KEPT, "2 times"), (names.ZEROES, [0, 0]), (names.ZEROES, [1, 0]))
of_type(
    DeviceType.BLK, "BLK6", (BROKEN, "3 bytes are not 0 with unmap"), (names.ZEROES, [0, 0]), (names.ZEROES, [1, 3])
)
of_type(DeviceType.BLK, "BLK6", (BROKEN, "3 bytes are not 0 without unmap"), (names.ZEROES, [0, 3]))
of_type(DeviceType.BLK, "BLK6", (MOOT, "there was no occasion to see it"))
of_type(DeviceType.BLK, "BLK8", (KEPT, "writeback is 0 after DRIVER_OK"), (names.WRITEBACK, [1, 0]))
of_type(DeviceType.BLK, "BLK8", (KEPT, "with FLUSH as well"), (names.WRITEBACK, [0, 0]))
of_type(DeviceType.BLK, "BLK8", (BROKEN, "writeback is 1 after DRIVER_OK"), (names.WRITEBACK, [1, 1]))
of_type(DeviceType.BLK, "BLK8", (MOOT, "there was no occasion to see it"), (names.WRITEBACK, [1]))
of_type(DeviceType.BLK, "BLK9", (TOLD, "size_max 512, seg_max 1"), offers(1 << _FLUSH, size_max=512, seg_max=1))
of_type(DeviceType.BLK, "BLK9", (TOLD, "seg_max is 0"), offers(1 << _FLUSH, size_max=512, seg_max=0))
of_type(DeviceType.BLK, "BLK9", (TOLD, "size_max is 0"), offers(1 << _FLUSH, size_max=0))
of_type(DeviceType.BLK, "BLK9", (MOOT, "there was no occasion to see it"), offers(1 << _FLUSH))
_BETWEEN = {"features": 1 << 32, "fields": {}, "queues": 1}
of_type(DeviceType.BLK, "BLK10", (KEPT, "byte 33"), (names.OFFER, _BETWEEN | {"padding": [[33, 0]]}), breaks="BLK1")
of_type(
    DeviceType.BLK, "BLK10", (BROKEN, "byte 57 of the configuration, which is padding, is 0xff"),
    (names.OFFER, _BETWEEN | {"padding": [[33, 0], [57, 255]]}), breaks="BLK1 BLK10",
)  # fmt: skip
of_type(DeviceType.BLK, "BLK10", (MOOT, "there was no occasion to see it"), (names.OFFER, _BETWEEN), breaks="BLK1")

# -- net
for _id, _field, _good, _bad, _breaks in (
    ("NET1", "max_virtqueue_pairs", 0x8000, 0x8001, "NET1"),
    ("NET1", "max_virtqueue_pairs", 1, 0, "NET1"),
    ("NET2", "mtu", 1500, 67, "NET2 NET3"),
    ("NET3", "mtu", 1280, 1279, "NET3"),
    ("NET4", "rss_max_key_size", 40, 39, "NET4"),
    ("NET5", "rss_max_indirection_table_length", 128, 127, "NET5"),
    ("NET6", "speed", 0xFFFF_FFFF, 0xFFFF_FFFE, "NET6"),
    ("NET7", "duplex", 0xFF, 2, "NET7"),
):
    of_type(DeviceType.NET, _id, (KEPT, f"{_field} is {_good}"), offers(**{_field: _good}))
    of_type(DeviceType.NET, _id, (BROKEN, f"{_field} is {_bad}"), offers(**{_field: _bad}), breaks=_breaks)
    of_type(DeviceType.NET, _id, (MOOT, "there was no occasion to see it"), offers())
for _id, _bit in (("NET8", _HASH_REPORT), ("NET9", _CTRL_RX_EXTRA)):
    of_type(DeviceType.NET, _id, (KEPT, "is offered with CTRL_VQ"), offers(1 << _bit | 1 << _CTRL_VQ))
    of_type(DeviceType.NET, _id, (BROKEN, "is offered without CTRL_VQ"), offers(1 << _bit))
    of_type(DeviceType.NET, _id, (MOOT, "there was no occasion to see it"), offers())
_MODE = f"{names.ANSWER}promiscuous"
of_type(DeviceType.NET, "NET10", (KEPT, "2 commands"), (_MODE, "OK"), (_MODE, "OK"))
of_type(DeviceType.NET, "NET10", (BROKEN, "VIRTIO_NET_ERR"), (_MODE, "OK"), (_MODE, "VIRTIO_NET_ERR"))
of_type(DeviceType.NET, "NET10", (MOOT, "there was no occasion to see it"))
of_type(DeviceType.NET, "NET11", (KEPT, "mac read what was set, 1 times"), (names.MAC, ["02", "02"]))
of_type(DeviceType.NET, "NET11", (BROKEN, "mac reads 02 after 03 was set"), (names.MAC, ["03", "02"]))
of_type(DeviceType.NET, "NET11", (MOOT, "there was no occasion to see it"), (names.MAC, "3"))
for _id, _name, _wrong in (
    ("NET12", "num_buffers", [0, 0, 0]),
    ("NET13", "flags", [2, 0, 1]),
    ("NET14", "gso_type", [0, 1, 1]),
):
    of_type(DeviceType.NET, _id, (KEPT, f"{_name} of every"), (names.HEADS, [[0, 0, 1]]))
    of_type(DeviceType.NET, _id, (BROKEN, f"{_name} is 0x"), (names.HEADS, [[0, 0, 1], _wrong]))
    of_type(DeviceType.NET, _id, (MOOT, "there was no occasion to see it"), (names.HEADS, "3"))
of_type(DeviceType.NET, "NET12", (MOOT, "there was no occasion to see it"), (names.HEADS, [[0, 0]]))


# -- console

of_type(DeviceType.CONSOLE, "CON2", (TOLD, "max_nr_ports is 1, and the queues are enough for 1"), ports(1, 4))
of_type(DeviceType.CONSOLE, "CON2", (TOLD, "max_nr_ports is 9, and the queues are enough for 4"), ports(9, 10))
of_type(DeviceType.CONSOLE, "CON2", (TOLD, "max_nr_ports is 0, and the queues are enough for 4"), ports(0, 10))
of_type(DeviceType.CONSOLE, "CON2", (MOOT, "there was no occasion to see it"), offers())


def _works(tale: Tale) -> None:
    tale.started()
    tale.traffic(names.AFTER_EMERGENCY)


def _works_no_more(tale: Tale) -> None:
    tale.goes_wrong(names.AFTER_EMERGENCY, "nothing came back")


_STATUS = (names.EMERGENCY, "0")
of_type(DeviceType.CONSOLE, "CON1", (KEPT, "a character was written in reset"), _STATUS, then=_works)
of_type(DeviceType.CONSOLE, "CON1", (BROKEN, "nothing came back"), _STATUS, then=_works_no_more)
of_type(DeviceType.CONSOLE, "CON1", (BROKEN, "status 0x43"), (names.EMERGENCY, str(0x43)), then=_works)
of_type(DeviceType.CONSOLE, "CON1", (MOOT, "there was no occasion to see it"))

# -- input
of_type(DeviceType.INPUT, "INP1", (KEPT, "1 queries that are not defined"), (names.QUERY, [0, 5, 0]))
of_type(DeviceType.INPUT, "INP1", (BROKEN, "select 0x13: size 5"), (names.QUERY, [0x13, 5, 5]))
of_type(DeviceType.INPUT, "INP1", (MOOT, "there was no occasion to see it"), (names.QUERY, [0, 0, 0]))
