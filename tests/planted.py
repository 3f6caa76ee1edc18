"""A directory as anybody may fill it: modules and programs of well-known names that leave a mark when they are run."""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODULES", "PROGRAMS", "plant"]

MODULES = (
    "uvirtio", "uvirtio_tools", "uvirtio_drivers", "rich", "pyudev", "periphery", "textual",
    "argparse", "ctypes", "dataclasses", "importlib", "json", "os", "pathlib", "re", "runpy", "select", "sitecustomize",
    "subprocess", "typing", "usercustomize", "uuid",
)  # fmt: skip
PROGRAMS = (
    "modprobe", "modinfo", "udevadm", "setpriv", "qemu-system-x86_64", "gcc", "cc", "ld", "objdump", "ldconfig", "uname",
)  # fmt: skip


def plant(directory: Path, mark: Path) -> None:
    """Fill a directory; whatever is run there writes its name to ``mark``."""
    for name in MODULES:
        (directory / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r} + ' ')\nraise SystemExit(66)\n")
    for name in PROGRAMS:
        (directory / name).write_text(f"#!/bin/sh\necho {name} >> {mark}\nexit 66\n")
        (directory / name).chmod(0o755)
