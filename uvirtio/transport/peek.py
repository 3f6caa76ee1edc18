"""Reading all registers of a device that somebody else drives, or nobody: for a look, not for driving.

Nothing is written but the three selectors, which are put back; ISR is never read, as reading it clears it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..access.view import Region
from ..errors import DeviceTimeout
from ..spec.features import Feature
from ..spec.registers import LEGACY, LEGACY_MSIX, NO_VECTOR
from ..spec.status import GONE
from .common_registers import CommonRegisters

__all__ = ["QUEUE_LIMIT", "QueueRegisters", "Registers", "peek_legacy", "peek_modern"]

#: Queues that are looked at, at most: num_queues is the device's word.
QUEUE_LIMIT = 1024
_AREAS = ("desc", "driver", "device")


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


class Registers(NamedTuple):
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


class _Look:
    """One look at the registers, and what went wrong with it."""

    def __init__(self, common: CommonRegisters) -> None:
        self._common = common
        self.problems: list[str] = []

    def features(self, who: str) -> int | None:
        """All feature bits of the ``device`` or the ``driver``; the selector is left as it was."""
        common, mask = self._common, 0
        before = common.get(f"{who}_feature_select")
        try:
            for word in range(4):
                if not common.select(f"{who}_feature_select", word):
                    self.problems.append(
                        f"{who}_feature_select does not keep what is written, so {who} features cannot be read; "
                        "a suspended device may ignore writes"
                    )
                    return None
                mask |= common.get(f"{who}_feature") << 32 * word
        finally:
            common.put(f"{who}_feature_select", before)
        return mask

    def queues(self, total: int, config_data: bool) -> Iterator[QueueRegisters]:
        """The registers of the first queues, all of them where that is no great number; queue_select is left as it was.

        A device that is too slow for that has those that it was fast enough for.
        """
        count = min(total, QUEUE_LIMIT)
        get, selected = self._common.get, self._common.get("queue_select")
        for index in range(count):
            try:
                if not self._common.select("queue_select", index):
                    self.problems.append(
                        "queue_select does not keep what is written; a suspended device may ignore writes"
                    )
                    break
                queue = QueueRegisters(
                    index,
                    get("queue_size"),
                    get("queue_enable") == 1,
                    _vector(get("queue_msix_vector")),
                    get("queue_notify_off"),
                    get("queue_notif_config_data") if config_data else None,
                    *(get(f"queue_{area}_lo") | get(f"queue_{area}_hi") << 32 for area in _AREAS),
                )
            except DeviceTimeout as error:
                self.problems.append(f"only the first {index} of {total} queues were looked at: {error}")
                return
            yield queue
        self._common.put("queue_select", selected)


def peek_modern(common: Region) -> Registers:
    """Read struct virtio_pci_common_cfg (4.1.4.3). ``common`` is the structure's region."""
    registers = CommonRegisters(common)
    look = _Look(registers)
    status = registers.get("device_status")
    if status == GONE:
        problem = "status reads 0xff: the device is gone, busy, or its memory is not decoded"
        return Registers(status, 0, 0, None, None, None, (), 0, 0, (problem,))
    generation, count = registers.get("config_generation"), registers.get("num_queues")
    offered, accepted = look.features("device"), look.features("driver")
    if count > QUEUE_LIMIT:
        look.problems.append(f"num_queues is {count}; only the first {QUEUE_LIMIT} were looked at")
    config_data = bool((offered or 0) >> Feature.NOTIF_CONFIG_DATA & 1)
    admin = bool((offered or 0) >> Feature.ADMIN_VQ & 1)
    admins = (registers.get("admin_queue_index"), registers.get("admin_queue_num")) if admin else (0, 0)
    config_vector = _vector(registers.get("config_msix_vector"))
    queues = tuple(look.queues(count, config_data))
    return Registers(
        status,
        generation,
        count,
        config_vector,
        offered,
        accepted,
        queues,
        *admins,
        tuple(look.problems),
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
