"""Reading all registers of a device that somebody else drives, or nobody: for a look, not for driving.

Nothing is written but the three selectors, which are put back; ISR is never read, as reading it clears it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..access.view import Region
from ..spec.features import Feature
from ..spec.registers import COMMON, LEGACY, LEGACY_MSIX, NO_VECTOR
from ..spec.status import GONE

__all__ = ["QUEUE_LIMIT", "QueueRegisters", "Registers", "peek_legacy", "peek_modern"]

#: Queues that are looked at, at most: num_queues is the device's word.
QUEUE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class QueueRegisters:
    """One queue as its registers show it; ``vector`` None where none is assigned or nothing can be said.

    ``size`` is the maximum until a driver writes it. Addresses are bus addresses; a legacy device has only the first.
    """

    index: int
    size: int
    enabled: bool
    vector: int | None
    notify_offset: int | None
    notify_data: int | None
    descriptors: int
    driver: int
    device: int


@dataclass(frozen=True, slots=True)
class Registers:
    """The common configuration at one moment. ``offered`` and ``accepted`` are None where the selector did not take.

    ``problems``: sentences about what could not be read.
    """

    status: int
    generation: int
    num_queues: int
    config_vector: int | None
    offered: int | None
    accepted: int | None
    queues: tuple[QueueRegisters, ...]
    admin_index: int
    admin_count: int
    problems: tuple[str, ...]


def _vector(value: int) -> int | None:
    return None if value == NO_VECTOR else value


def peek_modern(common: Region) -> Registers:
    """Read struct virtio_pci_common_cfg (4.1.4.3). ``common`` is the structure's region."""
    problems: list[str] = []

    def get(name: str) -> int:
        register = COMMON[name]
        if register.offset + register.width > common.length:
            return 0
        return common.read(register.offset, register.width)

    def put(name: str, value: int) -> None:
        common.write(COMMON[name].offset, COMMON[name].width, value)

    def features(who: str) -> int | None:
        before, mask = get(f"{who}_feature_select"), 0
        try:
            for word in range(4):
                put(f"{who}_feature_select", word)
                if get(f"{who}_feature_select") != word:
                    problems.append(
                        f"{who}_feature_select does not keep what is written, so {who} features cannot be read; "
                        "a suspended device may ignore writes"
                    )
                    return None
                mask |= get(f"{who}_feature") << 32 * word
        finally:
            put(f"{who}_feature_select", before)
        return mask

    status = get("device_status")
    if status == GONE:
        problem = "status reads 0xff: the device is gone, busy, or its memory is not decoded"
        return Registers(status, 0, 0, None, None, None, (), 0, 0, (problem,))
    generation, count = get("config_generation"), get("num_queues")
    offered, accepted = features("device"), features("driver")
    queues: list[QueueRegisters] = []
    if count > QUEUE_LIMIT:
        problems.append(f"num_queues is {count}; only the first {QUEUE_LIMIT} were looked at")
    selected = get("queue_select")
    for index in range(min(count, QUEUE_LIMIT)):
        put("queue_select", index)
        if get("queue_select") != index:
            problems.append("queue_select does not keep what is written; a suspended device may ignore writes")
            break
        addresses = [get(f"queue_{area}_lo") | get(f"queue_{area}_hi") << 32 for area in ("desc", "driver", "device")]
        data = get("queue_notif_config_data") if (offered or 0) >> Feature.NOTIF_CONFIG_DATA & 1 else None
        queues.append(
            QueueRegisters(
                index,
                get("queue_size"),
                get("queue_enable") == 1,
                _vector(get("queue_msix_vector")),
                get("queue_notify_off"),
                data,
                *addresses,
            )
        )
    put("queue_select", selected)
    admin = bool((offered or 0) >> Feature.ADMIN_VQ & 1)
    return Registers(
        status,
        generation,
        count,
        _vector(get("config_msix_vector")),
        offered,
        accepted,
        tuple(queues),
        get("admin_queue_index") if admin else 0,
        get("admin_queue_num") if admin else 0,
        tuple(problems),
    )


def peek_legacy(bar: Region, *, msix: bool) -> Registers:
    """Read the legacy header in BAR 0 (4.1.4.10). ``msix``: MSI-X is enabled, so the vector registers are there."""
    registers = {register.name: register for register in (*LEGACY, *(LEGACY_MSIX if msix else ()))}

    def get(name: str) -> int:
        return bar.read(registers[name].offset, registers[name].width)

    select = registers["queue_select"]
    selected = get("queue_select")
    queues: list[QueueRegisters] = []
    # There is no count: queues are numbered without gaps in practice, and one of size 0 is not there.
    for index in range(QUEUE_LIMIT):
        bar.write(select.offset, select.width, index)
        size = get("queue_size")
        if size in (0, 0xFFFF):
            break
        page = get("queue_address")
        vector = _vector(get("queue_msix_vector")) if msix else None
        queues.append(QueueRegisters(index, size, page != 0, vector, None, None, page << 12, 0, 0))
    bar.write(select.offset, select.width, selected)
    return Registers(
        status=get("device_status"),
        generation=0,
        num_queues=len(queues),
        config_vector=_vector(get("config_msix_vector")) if msix else None,
        offered=get("device_features"),
        accepted=get("driver_features"),
        queues=tuple(queues),
        admin_index=0,
        admin_count=0,
        problems=(),
    )
