"""The order of the rooms: what may import what, read from every import statement, type-only ones included."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "uvirtio": ROOT / "uvirtio",
    "uvirtio_drivers": ROOT / "drivers/uvirtio_drivers",
    "uvirtio_tools": ROOT / "tools/uvirtio_tools",
    "docs.make": ROOT / "docs/make",
}

#: From the top. A file imports from its own room and from those below.
ROOMS = (
    ("docs.make",),
    # In uvirtio/ for the sake of `python -m uvirtio`, but what people run.
    ("uvirtio.__main__",),
    ("uvirtio_tools.commands", "uvirtio_tools.pytest_plugin"),
    ("uvirtio_tools.facade",),
    ("uvirtio_tools.tui",),
    ("uvirtio_tools.boot",),
    ("uvirtio_tools.image",),
    ("uvirtio_tools.reports",),
    ("uvirtio_tools.scenarios",),
    ("uvirtio_tools.statements",),
    ("uvirtio_tools.benches",),
    ("uvirtio_tools.inspect",),
    ("uvirtio_tools.judging",),
    ("uvirtio_tools.driving",),
    # The process. The command line finds the commands by their names and imports none.
    (
        "uvirtio_tools", "uvirtio_tools.cli", "uvirtio_tools.codec", "uvirtio_tools.exits", "uvirtio_tools.named_files", "uvirtio_tools.wording",
        "uvirtio_tools.entry", "uvirtio_tools.interruption", "uvirtio_tools.jobs", "uvirtio_tools.last_word", "uvirtio_tools.outlet", "uvirtio_tools.parsing", "uvirtio_tools.standard_files", "uvirtio_tools.supervision", "uvirtio_tools.supervisor", "uvirtio_tools.telling",
    ),
    ("uvirtio_drivers",),
    # The life of a device.
    (
        "uvirtio.configuration", "uvirtio.deviations", "uvirtio.device", "uvirtio.mapped_vectors", "uvirtio.messages", "uvirtio.negotiation",
        "uvirtio.status", "uvirtio.suspend", "uvirtio.waiting",
    ),
    ("uvirtio.queue",),
    ("uvirtio.transport",),
    ("uvirtio.bus",),
    ("uvirtio.emulated",),
    ("uvirtio.rules",),
    ("uvirtio.pci",),
    ("uvirtio.access",),
    ("uvirtio.vfio_user",),
    ("uvirtio.spec",),
    # For everybody.
    ("uvirtio", "uvirtio.errors", "uvirtio.foreign", "uvirtio.plugins", "uvirtio.programs"),
)  # fmt: skip

#: Names that several files bear, and why they may. One that is named after a device type bears its name in every room.
NAMESAKES = {
    "basic": "a chapter of the catalogue: its rows, what is done to a device, what is said of it",
    "client": "the asking end of a connection: to a vfio-user server, to the interface's driving process",
    "command": "the word of two specifications: a function's command register, QEMU's command line",
    "common": "what is common by the specification: feature bits of all types, the common configuration structure",
    "configuration": "the device's: how a driver reads it, how it is put into words, what is done to it and said of it",
    "control": "the two ends of one control socket",
    "device": "the driver's, the one on the other side, and the screen that shows one",
    "function": "a PCI function: one for each bus, and the emulated one",
    "initial": "before a device is initialised completely: what is done to it, what is said of it",
    "machine": "the one that QEMU makes, and the one that a report is about",
    "messages": "those of MSI-X: sent by the emulated device, received by a driver, done to a device, said of it",
    "model": "the shape of what a room is about: a type's table, a type's behaviour, a description",
    "notifications": "those of a device, and a chapter of the catalogue",
    "opening": "of the function that a locator names, and of the device that a command drives",
    "options": "what an emulated device is told, what a run is told",
    "packed": "the format in the specification, and the queue in it",
    "pci": "configuration space in the specification, and the emulated one",
    "queue": "the one on the other side, and the bench of ours",
    "queues": "a chapter of the catalogue, and the tab that shows them",
    "ring": "the one on the other side, and the bench of ours",
    "robustness": "a chapter of the catalogue: its rows, what is done to a device, what is said of it",
    "split": "the format in the specification, and the queue in it",
    "status": "the device status in the specification, and the driver's hand on it",
    "suspend": "how a driver does it, and the scenarios of it",
    "survive": "a chapter of the catalogue: its rows, what is done to a device, what is said of it",
    "transitions": "suspends and resumes: how fast they are, and what is said of them",
    "triggers": "what the host side can be asked for: of QEMU, of an emulated device, by a command",
    "unspecified": "what the specification leaves open: what is done to a device, what is said of it",
    "vectors": "those of a function: its table given back, and how they are shown",
    "ways": "those by which a device notifies: to choose one, to judge by each, to time each",
}


@cache
def _files() -> dict[str, Path]:
    """Every file of the product, and what makes its documents, by the name of its module."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if path.name == "__init__.py" else parts)] = path
    return found


def _named(module: str, path: Path) -> Iterator[str]:
    """What the import statements of a file name, in full: modules, and things in modules."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: 1 - node.level or None] if node.level else []
            origin = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@cache
def _imports() -> dict[str, set[str]]:
    """Module -> the modules among these files that it imports."""
    files = _files()
    graph: dict[str, set[str]] = {module: set() for module in files}
    for module, path in files.items():
        if module == "uvirtio":
            continue  # its names are brought in as somebody asks for them
        for name in _named(module, path):
            while name and name not in files:
                name = name.rpartition(".")[0]
            if name and name != module:
                graph[module].add(name)
    return graph


def _room(module: str) -> int:
    """The number of its room, from the top; -1: it has none."""
    name = "uvirtio_drivers" if module.startswith("uvirtio_drivers") else ".".join(module.split(".")[:2])
    return next((number for number, room in enumerate(ROOMS) if name in room), -1)


def test_every_file_lies_in_a_room() -> None:
    homeless = [module for module in _files() if _room(module) < 0]
    assert not homeless, ", ".join(homeless)


def test_no_file_imports_upwards() -> None:
    upwards = [
        f"{module} imports {target}"
        for module, targets in _imports().items()
        for target in sorted(targets)
        if _room(target) < _room(module)
    ]
    assert not upwards, "\n".join(upwards)


def test_no_files_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(_imports()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


def test_a_name_means_one_thing_wherever_it_stands() -> None:
    types = {path.stem for path in (ROOT / "uvirtio/spec/devices").glob("*.py")} - {"common", "model"}
    bearers: dict[str, list[str]] = defaultdict(list)
    for module, path in _files().items():
        if path.name != "__init__.py" and not module.startswith("uvirtio_tools.commands.") and path.stem not in types:
            bearers[path.stem].append(str(path.relative_to(ROOT)))
    several = {name: paths for name, paths in bearers.items() if len(paths) > 1}
    new = [f"{name}: {', '.join(paths)}" for name, paths in several.items() if name not in NAMESAKES]
    assert not new, "\n".join(new)
    assert sorted(NAMESAKES) == sorted(several), "what is listed is still so"
