"""A description as things that rich can draw. State is told in words, never by colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from uvirtio.foreign import printable
from uvirtio.spec.pci import StructureType

from .columns import Columns, empty_table
from .model import CapabilityEntry, Description, FeatureRow, Interrupt, QueueRow

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = [
    "bars_table",
    "capabilities_table",
    "configuration_table",
    "device_sections",
    "features_table",
    "hex_dump",
    "identity_rows",
    "interrupt_text",
    "list_table",
    "mark",
    "queues_table",
    "vectors_in_use",
    "vectors_table",
]


def mark(state: bool | None) -> str:
    """``yes``, ``-`` or ``?``."""
    return "?" if state is None else "yes" if state else "-"


def interrupt_text(interrupt: Interrupt | None) -> str:
    """``INTA (irq 11), MSI-X 3 vectors on``."""
    if interrupt is None:
        return "unknown"
    pin = f"INT{'ABCD'[interrupt.pin - 1]}" if 1 <= interrupt.pin <= 4 else "no pin"
    if interrupt.linux_irq:
        pin += f" (irq {interrupt.linux_irq})"
    if interrupt.disabled and interrupt.pin:
        pin += " off"
    if not interrupt.msix_vectors:
        return pin
    used = f", {len(interrupt.vectors_in_use)} in use" if interrupt.vectors_in_use else ""
    return f"{pin}, MSI-X {interrupt.msix_vectors} vectors {'on' if interrupt.msix_enabled else 'off'}{', all masked' if interrupt.msix_enabled and interrupt.msix_masked else ''}{used}"


def list_table(devices: Iterable[Description], *, wide: bool, marked: str | None = None, fold: bool = True) -> Columns:
    """One row per device; ``wide`` adds what does not fit into 80 columns; ``marked`` is pointed at."""
    columns = ["address", "type", "interface", "driver", "is", "SUSPEND"]
    if wide:
        columns += ["name", "interrupt", "IOMMU", "NUMA", "used by"]
    rows = []
    for device in devices:
        driver = device.driver or "-"
        if device.driver_override:
            driver += f" (override {device.driver_override})"
        pointer = "" if marked is None else "> " if device.locator == marked else "  "
        row = [
            pointer + device.locator,
            device.type_name,
            device.interface,
            driver,
            " ".join(device.kernel_names) or "-",
            device.suspend_text if device.suspend_known else "unknown",
        ]
        if wide:
            group = "-" if device.iommu_group is None else f"{device.iommu_group} {device.iommu_type}".strip()
            node = "-" if device.numa_node is None else str(device.numa_node)
            row += [device.name, interrupt_text(device.interrupt), group, node, "; ".join(device.used_by) or "-"]
        rows.append(row)
    return Columns(columns, rows, fold=fold)


def identity_rows(device: Description) -> Iterator[tuple[str, str]]:
    """What stands at the head of ``show``: pairs of label and text."""
    yield "device", f"{device.name} ({device.type_name}, type {device.type}, {device.interface})"
    if device.section:
        yield "specification", f"virtio 1.4, {device.section} {device.title}"
    yield "status", device.status_text
    yield "SUSPEND", device.suspend_text
    yield (
        "PCI",
        f"{device.vendor:04x}:{device.device:04x} rev {device.revision:02x}, subsystem "
        f"{device.subsystem_vendor:04x}:{device.subsystem:04x}, class {device.class_code:06x}",
    )
    if device.bus == "uio":
        override = f", override {device.driver_override}" if device.driver_override else ""
        yield "driver", (device.driver or "none") + override
        if device.kernel_names:
            yield "kernel calls it", " ".join(device.kernel_names)
        yield "used by", "; ".join(device.used_by) or "nothing that was found"
        iommu = "none" if device.iommu_group is None else f"group {device.iommu_group} {device.iommu_type}".strip()
        yield "IOMMU", iommu
        if device.numa_node is not None:
            yield "NUMA node", str(device.numa_node)
    yield "interrupt", interrupt_text(device.interrupt)
    if device.generation is not None:
        yield "generation", str(device.generation)
    yield "read through", device.source
    yield from ((f"{device.bus}: {name}", text) for name, text in device.facts.items())


def features_table(device: Description, *, sentences: bool = True) -> Table:
    """The matrix: bit, name, offered, accepted, and what it means with what is wrong."""
    table = empty_table("bit", "feature", "offered", "accepted", *(["meaning"] if sentences else []), numbers=["bit"])
    for row in device.features:
        cells = [str(row.bit), row.name, mark(row.offered), mark(row.accepted)]
        if sentences:
            cells.append(_feature_text(row))
        table.add_row(*cells, style="" if row.origin != "unknown" and not row.problems else "bold")
    return table


def _feature_text(row: FeatureRow) -> str:
    return "\n".join([row.sentence, *(f"! {problem}" for problem in row.problems)])


def capabilities_table(device: Description, *, raw: bool = False) -> Table:
    """Capabilities of all kinds in list order."""
    table = empty_table("at", "capability", "BAR", "offset", "length", "more", *(["raw"] if raw else []))
    for entry in device.capabilities:
        cells = [
            f"{entry.at:#04x}",
            f"{entry.name}: {entry.structure}" if entry.structure else entry.name,
            "-" if entry.bar is None else str(entry.bar),
            "-" if entry.offset is None else f"{entry.offset:#x}",
            "-" if entry.length is None else f"{entry.length:#x}",
            _capability_text(entry),
        ]
        table.add_row(*cells, *([entry.raw] if raw else []))
    return table


def _capability_text(entry: CapabilityEntry) -> str:
    words = [entry.detail] if entry.detail else []
    if entry.notify_off_multiplier is not None:
        words.append(f"multiplier {entry.notify_off_multiplier}")
    # There may be several of this type, told apart by nothing else (4.1.4.7): 0 is one of their ids.
    if entry.structure_id or entry.structure == StructureType.SHARED_MEMORY.name:
        words.append(f"id {entry.structure_id}")
    if entry.vendor is not None:
        words.append(f"vendor {entry.vendor:04x}")
    return "\n".join([", ".join(words), *(f"! {problem}" for problem in entry.problems)]).strip() or "-"


def bars_table(device: Description) -> Table:
    """Base address registers."""
    table = empty_table("BAR", "kind", "address", "size")
    for bar in device.bars:
        table.add_row(str(bar.number), bar.kind, f"{bar.address:#x}", "?" if bar.size is None else f"{bar.size:#x}")
    return table


def queues_table(device: Description) -> Table:
    """One row per queue; columns about its memory only where this process drives it."""
    driven = any(queue.ring for queue in device.queues)
    columns = ["queue", "name", "num", "enabled", "vector", "notify", "desc", "avail", "used"]
    if driven:
        columns += ["avail idx", "used idx", "in flight", "notes"]
    table = empty_table(*columns, numbers=["queue", "num", "avail idx", "used idx", "in flight"])
    for queue in device.queues:
        table.add_row(*_queue_cells(queue, driven))
    return table


def vectors_in_use(device: Description) -> bool:
    """Whether MSI-X is on, or a vector is not as a reset leaves it."""
    enabled = device.interrupt is not None and device.interrupt.msix_enabled
    return enabled or any(not row.masked or row.pending or row.events for row in device.vectors)


def vectors_table(device: Description) -> Table:
    """One row per vector of MSI-X."""
    table = empty_table("vector", "masked", "pending", "mapped to it", "address", "data", numbers=["vector"])
    for row in device.vectors:
        cells = [mark(row.masked), mark(row.pending), ", ".join(row.events) or "-"]
        table.add_row(str(row.number), *cells, f"{row.address:#x}", f"{row.data:#x}")
    return table


def _queue_cells(queue: QueueRow, driven: bool) -> list[str]:
    # Addresses of a queue that is not enabled mean nothing.
    addresses = [f"{at:#x}" if queue.enabled else "-" for at in (queue.desc, queue.avail, queue.used)]
    cells = [
        str(queue.index),
        queue.name or "unknown",
        str(queue.num) if queue.num else "not there",
        mark(queue.enabled),
        "-" if queue.vector is None else str(queue.vector),
        "-" if queue.notify_off is None else str(queue.notify_off),
        *addresses,
    ]
    if driven:
        ring = queue.ring
        if ring is None:
            return [*cells, "-", "-", "-", "-"]
        notes = [ring.format]
        if ring.interrupts_suppressed:
            notes.append("no interrupts wanted")
        if ring.notifications_suppressed:
            notes.append("no notifications wanted")
        if ring.held:
            notes.append(f"held: {ring.held}")
        cells += [str(ring.driver_index), str(ring.device_index), str(ring.in_flight), ", ".join(notes)]
    return cells


def configuration_table(device: Description) -> Table:
    """Configuration fields by name; those that no offered feature makes valid are marked, and their bytes left out."""
    table = empty_table("offset", "field", "value", "", "exists", numbers=["offset"])
    table.columns[1].no_wrap = True
    for field in device.config:
        absent = field.valid is False
        table.add_row(
            f"{field.offset:#04x}",
            field.name,
            "-" if absent else field.text,
            "rw" if field.writable else "ro",
            f"only with {' or '.join(field.needs)}" if absent else mark(field.valid),
        )
    return table


def hex_dump(raw: str) -> str:
    """Sixteen bytes a line, with offsets."""
    data = bytes.fromhex(raw)
    return "\n".join(f"{at:04x}: {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))


def device_sections(device: Description, verbosity: int = 0) -> Iterator[RenderableType]:
    """Everything of ``show``, in order."""
    from rich.table import Table
    from rich.text import Text

    yield Text(device.locator, style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in identity_rows(device):
        grid.add_row(Text(label, style="dim"), Text(text))
    yield grid

    def section(title: str, body: RenderableType) -> Iterator[RenderableType]:
        yield Text()
        yield Text(title, style="bold")
        yield body

    if device.problems:
        yield from section("problems", Text("\n".join(f"! {printable(problem)}" for problem in device.problems)))
    if device.features:
        offered = "unknown" if device.offered is None else f"{device.offered:#018x}"
        accepted = "unknown" if device.accepted is None else f"{device.accepted:#018x}"
        yield from section(f"features: offered (host) {offered}, accepted (guest) {accepted}", features_table(device))
    if device.queues:
        yield from section(f"queues: {device.num_queues}", queues_table(device))
    if device.vectors and (verbosity > 0 or vectors_in_use(device)):
        yield from section(f"vectors: {len(device.vectors)}", vectors_table(device))
    if device.config:
        yield from section(f"configuration: {device.config_length} bytes", configuration_table(device))
    if device.capabilities:
        yield from section("capabilities", capabilities_table(device, raw=verbosity > 0))
    if device.bars:
        yield from section("BARs", bars_table(device))
    if verbosity > 0 and device.config_raw:
        yield from section("configuration, raw", Text(hex_dump(device.config_raw)))
    if verbosity > 1 and device.pci_raw:
        yield from section("configuration space, raw", Text(hex_dump(device.pci_raw)))
    if device.notes:
        yield from section("notes", Text("\n".join(map(printable, device.notes))))
