"""Installs the package next to this file as pip would: a copy of it, and the metadata that names its entry points."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["ENTRY_POINTS", "install"]

ENTRY_POINTS = """\
[uvirtio.types]
adder = adder.spec:SPEC

[uvirtio.drivers]
adder = adder.driver:Adder

[uvirtio.workloads]
adder = adder.workload:AdderWorkload

[uvirtio.models]
adder = adder.model:AdderModel

[uvirtio.scenarios]
adder = adder.conformance

[uvirtio.statements]
adder = adder.conformance
"""


def install(folder: Path, entry_points: str = ENTRY_POINTS) -> Path:
    """Install it into a folder that is then to be on the import path; the folder."""
    shutil.copytree(Path(__file__).parent / "adder", folder / "adder", ignore=shutil.ignore_patterns("__pycache__"))
    metadata = folder / "virtio_adder-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: virtio-adder\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    return folder
