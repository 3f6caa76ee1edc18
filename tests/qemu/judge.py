"""What QEMU says of a device of its own, over QMP, in the specification's names: the judge of what the inspector shows.

QEMU 7.2 answers ``x-query-virtio-status``: :func:`compare_status`. QEMU 11.1 fails an assertion of its own there,
whatever the type. For that one :class:`Judge` takes what the device's properties say (they hold what the command line
left open too), with what QEMU offers of a type in any case, and what other commands of the monitor tell. The raw
registers can be had besides, as QEMU itself reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from uvirtio.spec.status import Status
from uvirtio_tools.inspect.model import Description

__all__ = ["Judge", "compare_status", "feature_names", "memory_as_qemu_reads_it", "port_as_qemu_reads_it"]

#: Runs a QMP command: its name, and its arguments by keyword.
Ask = Callable[..., Any]

#: QEMU's properties that switch one feature, on every device.
_COMMON = {
    "any_layout": "F_ANY_LAYOUT",
    "event_idx": "F_EVENT_IDX",
    "in_order": "F_IN_ORDER",
    "indirect_desc": "F_INDIRECT_DESC",
    "iommu_platform": "F_ACCESS_PLATFORM",
    "notify_on_empty": "F_NOTIFY_ON_EMPTY",
    "packed": "F_RING_PACKED",
    "queue_reset": "F_RING_RESET",
}
#: Features of the legacy interface, which QEMU does not show on the modern one.
_LEGACY = {"F_ANY_LAYOUT", "F_NOTIFY_ON_EMPTY", "F_UNUSED"}
#: The same for one type.
_SWITCHES = {
    "9p": {},
    "balloon": {
        "deflate-on-oom": "BALLOON_F_DEFLATE_ON_OOM",
        "free-page-hint": "BALLOON_F_FREE_PAGE_HINT",
        "free-page-reporting": "BALLOON_F_PAGE_REPORTING",
        "page-poison": "BALLOON_F_PAGE_POISON",
    },
    "blk": {
        "config-wce": "BLK_F_CONFIG_WCE",
        "discard": "BLK_F_DISCARD",
        "write-zeroes": "BLK_F_WRITE_ZEROES",
    },
    "gpu": {"edid": "GPU_F_EDID", "blob": "GPU_F_RESOURCE_BLOB"},
    "net": {
        name: f"NET_F_{name.upper()}"
        for name in (
            "ctrl_guest_offloads", "ctrl_mac_addr", "ctrl_rx", "ctrl_rx_extra", "ctrl_vlan", "ctrl_vq",
            "guest_announce", "mq", "mrg_rxbuf", "rss", "status",
        )
    },
    "scsi": {"hotplug": "SCSI_F_HOTPLUG", "param_change": "SCSI_F_CHANGE"},
}  # fmt: skip
#: What QEMU offers whatever its properties are. (Of a network device's offloads it offers none, where what stands
#: behind it, as here, cannot take them.)
_ALWAYS = {
    "9p": {"9P_MOUNT_TAG"},
    "balloon": {"BALLOON_F_STATS_VQ"},
    "blk": {"BLK_F_BLK_SIZE", "BLK_F_FLUSH", "BLK_F_GEOMETRY", "BLK_F_SEG_MAX", "BLK_F_TOPOLOGY"},
    "console": {"CONSOLE_F_EMERG_WRITE"},
    "iommu": {
        "IOMMU_F_BYPASS_CONFIG", "IOMMU_F_DOMAIN_RANGE", "IOMMU_F_INPUT_RANGE", "IOMMU_F_MAP_UNMAP", "IOMMU_F_MMIO",
        "IOMMU_F_PROBE",
    },
    "mem": {"MEM_F_ACPI_PXM", "MEM_F_PERSISTENT_SUSPEND"},
    "net": {"NET_F_MAC"},
    # A slip of QEMU's: it shows the legacy interface's on the modern one.
    "sound": _LEGACY,
}  # fmt: skip

#: The monitor's letters for bytes that are read at once.
_WIDTHS = {1: "b", 2: "h", 4: "w"}
#: What QEMU calls a feature where the specification calls it otherwise.
_QEMU_NAMES = {
    "F_BAD_FEATURE": "F_UNUSED",
    "VHOST_USER_F_PROTOCOL_FEATURES": "F_UNUSED",  # the same bit; QEMU takes the name that its type's table has
    "BALLOON_F_REPORTING": "BALLOON_F_PAGE_REPORTING",
    "F_IOMMU_PLATFORM": "F_ACCESS_PLATFORM",
}
_STATUSES = {
    "ACKNOWLEDGE": Status.ACKNOWLEDGE,
    "DRIVER": Status.DRIVER,
    "DRIVER_OK": Status.DRIVER_OK,
    "FEATURES_OK": Status.FEATURES_OK,
    "NEEDS_RESET": Status.DEVICE_NEEDS_RESET,
    "FAILED": Status.FAILED,
}


class Judge:
    """What QEMU says of the device at ``path``, a QOM path of a PCI device."""

    def __init__(self, ask: Ask, path: str) -> None:
        self._ask = ask
        backend = f"{path}/virtio-backend"
        (told,) = ask("qom-list-get", paths=[backend])
        self.properties = {row["name"]: row["value"] for row in told["properties"] if "value" in row}
        (self.name,) = [row["name"] for row in ask("x-query-virtio") if row["path"] == backend]
        self._path = path

    def offered(self, type_name: str, interface: str = "modern") -> set[str]:
        """The features that the device offers, by name."""
        said = self.properties
        names = set(_ALWAYS.get(type_name, ()))
        names |= {name for key, name in (_COMMON | _SWITCHES.get(type_name, {})).items() if said[key]}
        if type_name == "net":
            names |= {"NET_F_MTU"} if said["host_mtu"] else set()
            names |= {"NET_F_SPEED_DUPLEX"} if said["speed"] != -1 or said["duplex"] else set()
        if type_name == "blk" and said["num-queues"] > 1:
            names |= {"BLK_F_MQ"}
        if type_name == "console" and said["max_ports"] > 1:
            names |= {"CONSOLE_F_MULTIPORT"}
        if type_name == "mem" and said["unplugged-inaccessible"] == "on":
            names |= {"MEM_F_UNPLUGGED_INACCESSIBLE"}
        if interface == "legacy":
            return (names | {"F_UNUSED"}) - {"F_RING_RESET", "F_RING_PACKED"}
        return {"F_VERSION_1"} | names - (_LEGACY - _ALWAYS.get(type_name, set()))

    def fields(self, type_name: str) -> dict[str, object]:
        """The values of configuration fields, for all that QEMU says."""
        make = getattr(self, f"_{type_name}", None)
        return make(self.properties) if make else {}

    def _9p(self, said: dict[str, Any]) -> dict[str, object]:
        return {"tag_len": len(said["mount_tag"]), "tag": said["mount_tag"]}

    def _balloon(self, said: dict[str, Any]) -> dict[str, object]:
        memory = self._ask("query-memory-size-summary")["base-memory"]
        return {"actual": (memory - self._ask("query-balloon")["actual"]) // 4096, "poison_val": 0}

    def _blk(self, said: dict[str, Any]) -> dict[str, object]:
        nodes = {row["node-name"]: row for row in self._ask("query-named-block-nodes")}
        block = said["logical_block_size"]
        return {
            "capacity": nodes[said["drive"]]["image"]["virtual-size"] // 512,
            "seg_max": said["queue-size"] - 2,
            "geometry.cylinders": said["cyls"],
            "geometry.heads": said["heads"],
            "geometry.sectors": said["secs"],
            "blk_size": block,
            "topology.physical_block_exp": (said["physical_block_size"] // block).bit_length() - 1,
            "topology.alignment_offset": 0,
            "topology.min_io_size": said["min_io_size"] // block,
            "topology.opt_io_size": said["opt_io_size"] // block,
            "num_queues": said["num-queues"],
            "max_discard_sectors": said["max-discard-sectors"],
            "max_discard_seg": 1,
            "discard_sector_alignment": block // 512,
            "max_write_zeroes_sectors": said["max-write-zeroes-sectors"],
            "max_write_zeroes_seg": 1,
            "write_zeroes_may_unmap": 1,
        }

    def _console(self, said: dict[str, Any]) -> dict[str, object]:
        return {"max_nr_ports": said["max_ports"]}

    def _crypto(self, said: dict[str, Any]) -> dict[str, object]:
        (backend,) = [row for row in self._ask("query-cryptodev") if said["cryptodev"].endswith(f"/{row['id']}")]
        bits = {"cipher": 0, "hash": 1, "mac": 2, "aead": 3, "akcipher": 4}
        services = sum(1 << bits[name] for name in backend["service"])
        return {"crypto_services": services, "max_dataqueues": len(backend["client"]), "status": 1}

    def _gpu(self, said: dict[str, Any]) -> dict[str, object]:
        return {"num_scanouts": said["max_outputs"]}

    def _iommu(self, said: dict[str, Any]) -> dict[str, object]:
        return {
            "bypass": int(said["boot-bypass"]),
            "input_range.start": 0,
            "input_range.end": (1 << said["aw-bits"]) - 1,
        }

    def _mem(self, said: dict[str, Any]) -> dict[str, object]:
        (row,) = [row["data"] for row in self._ask("query-memory-devices") if row["type"] == "virtio-mem"]
        return {
            "block_size": row["block-size"],
            "node_id": row["node"],
            "addr": row["memaddr"],
            "region_size": row["max-size"],
            "plugged_size": row["size"],
            "requested_size": row["requested-size"],
        }

    def _net(self, said: dict[str, Any]) -> dict[str, object]:
        fields: dict[str, object] = {"mac": said["mac"]}
        if said["host_mtu"]:
            fields["mtu"] = said["host_mtu"]
        if said["speed"] != -1:
            fields |= {"speed": said["speed"], "duplex": {"half": 0, "full": 1}[said["duplex"]]}
        (filters,) = self._ask("query-rx-filter", name=self._path.rpartition("/")[2])
        assert filters["main-mac"] == said["mac"]
        return fields

    def _pmem(self, said: dict[str, Any]) -> dict[str, object]:
        (row,) = [row["data"] for row in self._ask("query-memory-devices") if row["type"] == "virtio-pmem"]
        return {"start": row["memaddr"], "size": row["size"]}

    def _scsi(self, said: dict[str, Any]) -> dict[str, object]:
        fields: dict[str, object] = {name: said[name] for name in ("num_queues", "max_sectors", "cmd_per_lun")}
        return fields | {"seg_max": said["virtqueue_size"] - 2}

    def _sound(self, said: dict[str, Any]) -> dict[str, object]:
        return {name: said[name] for name in ("jacks", "streams", "chmaps")}


def memory_as_qemu_reads_it(ask: Ask, address: int, width: int) -> int:
    """1, 2 or 4 bytes at a guest physical address, read by QEMU's monitor at once: in a BAR, what the device answers."""
    said = ask("human-monitor-command", **{"command-line": f"xp /1{_WIDTHS[width]}x {address:#x}"})
    return int(said.partition(":")[2], 16)


def port_as_qemu_reads_it(ask: Ask, port: int, width: int) -> int:
    """An I/O port of 1, 2 or 4 bytes, read by QEMU's monitor."""
    said = ask("human-monitor-command", **{"command-line": f"i /{_WIDTHS[width]}x {port:#x}"})
    return int(re.sub(r".*=", "", said), 16)


def feature_names(features: dict[str, Any]) -> set[str]:
    """The features in a part of what x-query-virtio-status answers, in the specification's names."""
    told = [*features.get("transports", []), *features.get("dev-features", [])]
    names = set()
    for text in told:
        name = text.partition(":")[0].removeprefix("VIRTIO_").replace("RING_F_", "F_")
        names.add(_QEMU_NAMES.get(name, name))
    return names


def _status(told: dict[str, Any]) -> int:
    mask = int(told.get("unknown-statuses", 0))
    for text in told["statuses"]:
        mask |= _STATUSES[re.sub(r":.*", "", text).removeprefix("VIRTIO_CONFIG_S_")]
    return mask


def _unknown(features: dict[str, Any]) -> bool:
    return bool(features.get("unknown-dev-features") or features.get("unknown-dev-features2"))


def compare_status(device: Description, told: dict[str, Any]) -> None:
    """Hold a description against what x-query-virtio-status answers."""
    offered = {row.name for row in device.features if row.offered}
    accepted = {row.name for row in device.features if row.accepted}
    assert device.status == _status(told["status"])
    assert device.type == told["device-id"]
    assert device.num_queues == told["num-vqs"]
    theirs = feature_names(told["host-features"])
    # Bits of the legacy interface do not show on the modern one, and old QEMU does not name all that it offers.
    legacy = {"F_NOTIFY_ON_EMPTY", "F_ANY_LAYOUT", "F_UNUSED", "NET_F_GSO"}
    assert theirs - legacy <= offered, f"QEMU offers {theirs}, shown are {offered}"
    if not _unknown(told["host-features"]):
        assert offered - theirs == set(), f"QEMU offers {theirs}, shown are {offered}"
    theirs = feature_names(told["guest-features"])
    if not Status(_status(told["status"])) & Status.FEATURES_OK:
        # After a reset driver_feature still reads what a driver wrote before it, though QEMU has forgotten it.
        assert theirs == set()
        return
    assert theirs - legacy <= accepted, f"QEMU has accepted {theirs}, shown are {accepted}"
    if not _unknown(told["guest-features"]):
        assert accepted - theirs == set(), f"QEMU has accepted {theirs}, shown are {accepted}"
