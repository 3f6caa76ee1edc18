"""A machine of plain files with an IOMMU and vfio-pci: what Linux does there when the attributes of PCI are written."""

from __future__ import annotations

import os
from pathlib import Path

from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio.sysfs import VFIO_DRIVER

__all__ = ["GROUP", "VfioMachine"]

GROUP = 9


class VfioMachine(FakeMachine):
    """A machine with an IOMMU (``group`` of the entropy device; None: without one), and vfio-pci."""

    def __init__(self, root: Path, *, group: int | None = GROUP, own: bool = False, groups: bool = True) -> None:
        """``own``: a character device for each function (CONFIG_VFIO_DEVICE_CDEV), ``groups``: one for each group."""
        super().__init__(root)
        self.own, self.groups = own, groups
        (self.dev / "vfio").mkdir()
        if groups:
            (self.dev / "vfio/vfio").touch()
        if own:
            (self.dev / "iommu").touch()
        self.add()
        if group is not None:
            self.join(RNG, group)

    def join(self, bdf: str, group: int, name: str = "") -> None:
        """Put a function into a group."""
        at = self.sys / f"kernel/iommu_groups/{group}"
        (at / "devices").mkdir(parents=True, exist_ok=True)
        (at / "devices" / bdf).symlink_to(self.function(bdf).resolve())
        (at / "type").write_text("DMA\n")
        if name:
            (at / "name").write_text(name + "\n")
        (self.function(bdf) / "iommu_group").symlink_to(at)

    def no_iommu(self, mode: str) -> None:
        """A kernel with the parameter, ``Y`` or ``N``."""
        at = self.sys / "module/vfio/parameters"
        at.mkdir(parents=True, exist_ok=True)
        (at / "enable_unsafe_noiommu_mode").write_text(mode + "\n")

    def _bind(self, bdf: str, driver: str) -> None:
        at = self.function(bdf)
        if driver == VFIO_DRIVER:
            if not (at / "iommu_group").exists():
                if self.read(self.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode") != "Y":
                    return  # the kernel's probe fails with EINVAL
                self.join(bdf, 0, "vfio-noiommu")
            number = os.path.basename(os.readlink(at / "iommu_group"))
            if self.groups:
                name = self.read(at / "iommu_group/name")
                (self.dev / "vfio" / (f"noiommu-{number}" if name == "vfio-noiommu" else number)).touch()
            if self.own:
                (at / "vfio-dev/vfio0").mkdir(parents=True)
                (self.dev / "vfio/devices").mkdir(exist_ok=True)
                (self.dev / "vfio/devices/vfio0").touch()
        super()._bind(bdf, driver)

    def _unbind(self, bdf: str) -> None:
        was = self.driver(bdf)
        super()._unbind(bdf)
        if was == VFIO_DRIVER:
            for path in (self.dev / "vfio").iterdir():
                if path.name not in ("vfio", "devices"):
                    path.unlink()
            (self.dev / "vfio/devices/vfio0").unlink(missing_ok=True)
            if (self.dev / "vfio/devices").exists():
                (self.dev / "vfio/devices").rmdir()
            own = self.function(bdf) / "vfio-dev"
            if own.exists():
                (own / "vfio0").rmdir()
                own.rmdir()
            if self.read(self.function(bdf) / "iommu_group/name") == "vfio-noiommu":
                (self.function(bdf) / "iommu_group").unlink()
