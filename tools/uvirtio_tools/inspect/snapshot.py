"""Snapshot files: descriptions of one or more devices with the machine that they were taken on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from uvirtio import __version__
from uvirtio.errors import SnapshotError
from uvirtio.foreign import parse_json

from ..codec import decode, encode
from ..named_files import read_text
from .model import Description

__all__ = ["DEVICE_SCHEMA", "SNAPSHOT_SCHEMA", "VERSION", "Snapshot", "device_document", "load", "pick"]

SNAPSHOT_SCHEMA = "uvirtio/snapshot"
DEVICE_SCHEMA = "uvirtio/device"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file holds; ``taken`` is UTC in ISO 8601."""

    devices: tuple[Description, ...]
    machine: dict[str, str] = field(default_factory=dict)
    taken: str = ""
    release: str = __version__

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SNAPSHOT_SCHEMA,
            "version": VERSION,
            "release": self.release,
            "taken": self.taken,
            "machine": self.machine,
            "devices": [encode(device) for device in self.devices],
        }


def device_document(device: Description) -> dict[str, Any]:
    """The document of ``show --json``, which is a snapshot of one device as well."""
    return {"schema": DEVICE_SCHEMA, "version": VERSION, "release": __version__, **encode(device)}


def load(path: str) -> Snapshot:
    """Read a snapshot, or the output of ``show --json``. Raises :class:`SnapshotError`."""
    try:
        data = parse_json(read_text(path))
    except OSError as error:
        raise SnapshotError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SnapshotError(f"{path} is not a snapshot: {error}") from error
    if not isinstance(data, dict) or data.get("schema") not in (SNAPSHOT_SCHEMA, DEVICE_SCHEMA):
        raise SnapshotError(f"{path} is not a snapshot of uvirtio; `uvirtio dump LOCATOR -o FILE` makes one")
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise SnapshotError(f"{path}: the version is {version!r}, a number was expected; the file is damaged")
    if version != VERSION:
        raise SnapshotError(
            f"{path} has format version {version}; this release ({__version__}) reads version {VERSION}, so use the release "
            f"that wrote it ({data.get('release', 'unknown')})"
        )
    if data["schema"] == DEVICE_SCHEMA:
        return Snapshot((decode(Description, data, path),))
    devices = data.get("devices")
    machine = data.get("machine", {})
    if not isinstance(devices, list) or not isinstance(machine, dict):
        raise SnapshotError(f"{path}: the list of devices is missing; the file is damaged")
    return Snapshot(
        tuple(decode(Description, item, f"{path}: device {at}") for at, item in enumerate(devices)),
        {str(name): str(text) for name, text in machine.items()},
        str(data.get("taken", "")),
        str(data.get("release", "")),
    )


def pick(devices: Sequence[Description], wanted: str | None, path: str) -> Description:
    """The device of a snapshot that ``wanted`` names, or its only one. Raises :class:`SnapshotError`."""
    there = ", ".join(device.locator for device in devices) or "none"
    if wanted is None:
        if len(devices) == 1:
            return devices[0]
        raise SnapshotError(f"{path} holds {len(devices)} devices, so name one of {there}")
    for device in devices:
        if wanted in (device.locator, *device.kernel_names) or device.locator.endswith((f":{wanted}", f":0{wanted}")):
            return device
    raise SnapshotError(f"{path} does not hold {wanted}; it holds {there}")
