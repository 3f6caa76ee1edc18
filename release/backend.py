"""The build backend: setuptools' own, but for editable installs.

setuptools finds the packages of an editable install by code, which type checkers and editors do not run. Here a folder of three links,
one for each package, is put on the path instead: the same is found by everybody, and nothing else of the checkout is.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  # whatever a front end asks for

__all__ = ["build_editable"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("uvirtio", "drivers/uvirtio_drivers", "tools/uvirtio_tools")
#: Beside the checkout's own folders, and left out by .gitignore.
LINKS = ROOT / "build" / "editable"


def _links() -> None:
    LINKS.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        link = LINKS / Path(package).name
        if not link.is_symlink() or link.resolve() != ROOT / package:
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(ROOT / package, LINKS))


def build_editable(
    wheel_directory: str, config_settings: dict[str, object] | None = None, metadata_directory: str | None = None
) -> str:
    """setuptools' wheel, with a line of path in the place of its finder."""
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _links()
    path = Path(wheel_directory, name)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, name)
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
            record = ""
            files = {"__editable__.uvirtio.pth": f"{LINKS}\n".encode()}
            for item in old.namelist():
                if item.startswith("__editable__"):
                    continue
                if item.endswith(".dist-info/RECORD"):
                    record = item
                else:
                    files[item] = old.read(item)
            for item, data in files.items():
                new.writestr(item, data)
            lines = [f"{item},sha256={_digest(data)},{len(data)}" for item, data in files.items()]
            new.writestr(record, "\n".join([*lines, f"{record},,", ""]))
        shutil.move(made, path)
    return name


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
