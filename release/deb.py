"""A Debian package of this checkout, for Debian 12, 13 and what is made of them: ``python -m release.deb FOLDER``.

It stands on Debian's own packages, and is pure Python for every architecture. What a wheel would bring, its metadata with
the entry points, is there as well, so that ``pip list`` and pytest find it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from uvirtio import __version__
from uvirtio_tools.commands.shells import SHELLS

__all__ = ["DEPENDS", "main", "write"]

ROOT = Path(__file__).parents[1]
_MODULES = Path("usr/lib/python3/dist-packages")

#: The lower ends are those of pyproject.toml.
DEPENDS = (
    "python3 (>= 3.11)",
    "python3-rich (>= 13.3)",
    "python3-pyudev (>= 0.24)",
    "python3-periphery (>= 2.3)",
    "kmod",
)

_CONTROL = """\
Package: uvirtio
Version: {version}
Architecture: all
Maintainer: {maintainer}
Installed-Size: {size}
Depends: {depends}
Suggests: qemu-system-x86, python3-rich-argparse
Section: utils
Priority: optional
Description: see virtio-PCI devices, drive them, judge their suspend and resume
 uvirtio is a guest-side userspace driver for virtio-PCI devices, through
 uio_pci_generic or vfio-pci. It shows what a device says, drives it through
 virtqueues of its own, and judges it by what virtio 1.4 demands, from what
 rings, buffers and interrupts do.
 .
 It has no interactive interface (uvirtio tui): that needs a Textual which
 is newer than Debian's. uvirtio watch shows devices live without it.
"""

#: What Debian's own tool for that puts into its packages.
_POSTINST = """\
#!/bin/sh
set -e
if command -v py3compile >/dev/null 2>&1; then
    py3compile -p uvirtio
fi
"""
_PRERM = """\
#!/bin/sh
set -e
if command -v py3clean >/dev/null 2>&1; then
    py3clean -p uvirtio
fi
"""

#: In isolation: nothing that a user's environment names is imported by root.
_PROGRAM = """\
#!/usr/bin/python3 -I
import sys

from uvirtio_tools.entry import main

sys.exit(main())
"""
_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: uvirtio

Files: *
Copyright: the uvirtio authors
License: BSD-3-Clause
"""


def _put(root: Path, place: str | Path, data: bytes, mode: int = 0o644) -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def _metadata(root: Path, project: dict[str, object]) -> None:
    """As pip would leave it, less rich-argparse, which Debian 12 has not, and without which help has no colours."""
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    needed = [f"Requires-Dist: {each}" for each in dependencies if not each.startswith("rich-argparse")]
    lines = [
        "Metadata-Version: 2.1",
        "Name: uvirtio",
        f"Version: {__version__}",
        f"Summary: {project['description']}",
        *needed,
    ]
    folder = _MODULES / f"uvirtio-{__version__}.dist-info"
    _put(root, folder / "METADATA", "\n".join([*lines, ""]).encode())
    points = (
        "[console_scripts]\nuvirtio = uvirtio_tools.entry:main\n\n[pytest11]\nuvirtio = uvirtio_tools.pytest_plugin\n"
    )
    _put(root, folder / "entry_points.txt", points.encode())
    _put(root, folder / "INSTALLER", b"debian\n")


def _modules(root: Path) -> None:
    for package, place in (("uvirtio", "."), ("uvirtio_drivers", "drivers"), ("uvirtio_tools", "tools")):
        folder = ROOT / place / package
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.suffix == ".py" or path.name == "py.typed"):
                _put(root, _MODULES / package / path.relative_to(folder), path.read_bytes())


def _documents(root: Path) -> None:
    share = Path("usr/share")
    _put(root, share / "man/man8/uvirtio.8.gz", _packed((ROOT / "docs/man/uvirtio.8").read_bytes()))
    completions = {
        "bash": "bash-completion/completions/uvirtio",
        "zsh": "zsh/vendor-completions/_uvirtio",
        "fish": "fish/vendor_completions.d/uvirtio.fish",
    }
    for shell, place in completions.items():
        _put(root, share / place, SHELLS[shell]().encode())
    licence = "".join(f" {line}\n" if line else " .\n" for line in (ROOT / "LICENSE").read_text().splitlines())
    _put(root, share / "doc/uvirtio/copyright", (_COPYRIGHT + licence).encode())
    _put(root, share / "doc/uvirtio/changelog.gz", _packed((ROOT / "CHANGELOG.md").read_bytes()))


def _control(root: Path) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    person, address = (
        os.environ.get("DEBFULLNAME", "the uvirtio authors"),
        os.environ.get("DEBEMAIL", "uvirtio@localhost"),
    )
    control = _CONTROL.format(
        version=__version__,
        maintainer=f"{person} <{address}>",
        size=sum(path.stat().st_size for path in files) // 1024,
        depends=", ".join(DEPENDS),
    )
    sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
    _put(root, "DEBIAN/control", control.encode())
    _put(root, "DEBIAN/md5sums", sums.encode())
    _put(root, "DEBIAN/postinst", _POSTINST.encode(), 0o755)
    _put(root, "DEBIAN/prerm", _PRERM.encode(), 0o755)


def write(into: Path) -> Path:
    """Write the package into a folder; its path. Raises OSError, CalledProcessError with what dpkg-deb said."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"uvirtio_{__version__}_all.deb"
    with tempfile.TemporaryDirectory(prefix="uvirtio-deb-") as folder:
        root = Path(folder) / "root"
        _modules(root)
        _metadata(root, project)
        _put(root, "usr/bin/uvirtio", _PROGRAM.encode(), 0o755)
        _put(root, "usr/lib/udev/rules.d/60-uvirtio.rules", (ROOT / "udev/60-uvirtio.rules").read_bytes())
        _documents(root)
        _control(root)
        for each in (root, *root.rglob("*")):  # whatever the umask is
            if each.is_dir():
                each.chmod(0o755)
        # xz: what dpkg of every release reads
        build = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(path)]
        subprocess.run(build, check=True, capture_output=True, text=True)
    return path


def main(words: list[str]) -> int:
    """Write the package into the folder that is named, tell its size."""
    if len(words) != 1:
        print("usage: python -m release.deb FOLDER", file=sys.stderr)
        return 2
    if shutil.which("dpkg-deb") is None:
        print("release.deb: there is no dpkg-deb here; a Debian package is made on Debian", file=sys.stderr)
        return 3
    try:
        path = write(Path(words[0]))
    except subprocess.CalledProcessError as error:
        print(f"release.deb: dpkg-deb failed: {error.stderr.strip()}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
