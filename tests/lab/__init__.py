"""What the tests need from outside Python: a recent QEMU, a guest kernel, virtme-ng.

``provision.py`` fetches them into the lab folder (``make lab``); everything else asks the functions here and gets a
path or None. A test suite that needs something names it with ``@pytest.mark.needs(...)``, see ``NEEDS``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

__all__ = [
    "IN_GUEST",
    "NEEDS",
    "browser",
    "distro_qemu",
    "guest_kernel",
    "image_parts",
    "lab_folder",
    "missing",
    "modern_qemu",
    "speaks_vfio_user",
    "udevadm",
    "virtme_ng",
]

IN_GUEST = "UVIRTIO_IN_GUEST"
"""Set in the environment of tests that run inside a guest, to the folder that it shares with the host."""

_PROVISION = "run `make lab`"
_GUEST_TOOLS = {
    "modprobe": ("/usr/sbin/modprobe", "/sbin/modprobe"),
    "systemd-udevd": ("/usr/lib/systemd/systemd-udevd", "/lib/systemd/systemd-udevd", "/usr/sbin/udevd"),
    "busybox": ("/usr/bin/busybox", "/bin/busybox"),
    "ip": ("/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"),
    # virtme-ng finds the version of a kernel with these two, and ends with a traceback without them
    "strings": ("/usr/bin/strings",),
    "file": ("/usr/bin/file",),
}
_GUEST_PACKAGES = "apt-get install kmod udev busybox-static iproute2 binutils file"


def lab_folder() -> Path:
    """The folder that holds what was provisioned: ``$UVIRTIO_LAB``, or ``uvirtio/lab`` in the user's cache."""
    chosen = os.environ.get("UVIRTIO_LAB")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uvirtio" / "lab"


@cache
def _version(qemu: Path) -> tuple[int, int]:
    """Major and minor version of a QEMU, (0, 0) when it does not start."""
    done = subprocess.run([qemu, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


@cache
def speaks_vfio_user(qemu: Path) -> bool:
    """Whether this QEMU starts and has ``vfio-user-pci``. Asked by that device's name: listing all devices loads every
    module, and the lab's QEMU would then stumble over those of the machine's own QEMU.
    """
    if _version(qemu) < (10, 1):
        return False
    probe: list[str | Path] = [qemu, "-machine", "none", "-device", "vfio-user-pci,help"]
    done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "socket=" in done.stdout


def distro_qemu() -> Path | None:
    """The machine's own ``qemu-system-x86_64`` of whatever version, from PATH."""
    found = shutil.which("qemu-system-x86_64")
    return Path(found) if found else None


def modern_qemu() -> Path | None:
    """A ``qemu-system-x86_64`` that has ``vfio-user-pci`` (10.1 or newer): the machine's own, else the lab's."""
    for candidate in (distro_qemu(), lab_folder() / "bin" / "qemu-system-x86_64"):
        if candidate is not None and candidate.exists() and speaks_vfio_user(candidate):
            return candidate
    return None


def guest_kernel() -> Path | None:
    """The guest's ``vmlinuz``; its modules lie beside it in ``../lib/modules``, where virtme-ng looks."""
    if not (lab_folder() / "kernel" / "stamp.json").exists():
        return None
    return next(iter(sorted((lab_folder() / "kernel" / "root" / "boot").glob("vmlinuz-*"))), None)


def image_parts() -> Path | None:
    """The folder with what an image is put together from: ``kernel``, ``system``, and ``release`` with the kernel's."""
    folder = lab_folder() / "image"
    return folder if (folder / "stamp.json").exists() else None


def virtme_ng() -> Path | None:
    """The ``vng`` command: the lab's own, else one from PATH."""
    own = lab_folder() / "virtme-ng" / "bin" / "vng"
    if own.exists():
        return own
    found = shutil.which("vng")
    return Path(found) if found else None


def udevadm() -> Path | None:
    """A ``udevadm`` that can verify rules: the lab's."""
    own = lab_folder() / "bin" / "udevadm"
    return own if own.exists() else None


def browser() -> Path | None:
    """A Chromium without a screen, from PATH."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    return Path(found) if found else None


def _needs_browser() -> str | None:
    return None if browser() else "no Chromium: apt-get install chromium-headless-shell"


def _needs_tmux() -> str | None:
    return None if shutil.which("tmux") else "no tmux: apt-get install tmux"


def _needs_udevadm() -> str | None:
    return None if udevadm() else f"no udevadm that verifies rules: {_PROVISION}"


def _needs_fish() -> str | None:
    return None if shutil.which("fish") else "no fish: apt-get install fish"


def _needs_qemu() -> str | None:
    return None if distro_qemu() or modern_qemu() else f"no qemu-system-x86_64: {_PROVISION}"


def _needs_modern_qemu() -> str | None:
    return None if modern_qemu() else f"no QEMU 10.1 or newer with vfio-user-pci: {_PROVISION}"


def _needs_guest() -> str | None:
    absent = [name for name, places in _GUEST_TOOLS.items() if not any(Path(place).exists() for place in places)]
    if absent:
        return f"no {', '.join(absent)} for the guest: {_GUEST_PACKAGES}"
    if guest_kernel() is None:
        return f"no kernel for the guest: {_PROVISION}"
    if virtme_ng() is None:
        return f"no virtme-ng: {_PROVISION}"
    return _needs_modern_qemu()


def _needs_image() -> str | None:
    if image_parts() is None:
        return f"nothing to make an image from: {_PROVISION}"
    return None if shutil.which("zstd") else "no zstd: apt-get install zstd"


def _needs_apt() -> str | None:
    return None if shutil.which("apt-get") else "no apt-get: the lab is made on Debian 12 or newer"


NEEDS: dict[str, Callable[[], str | None]] = {
    "apt": _needs_apt,
    "browser": _needs_browser,
    "fish": _needs_fish,
    "qemu": _needs_qemu,
    "modern-qemu": _needs_modern_qemu,
    "guest": _needs_guest,
    "image": _needs_image,
    "tmux": _needs_tmux,
    "udevadm": _needs_udevadm,
}
"""What a test can ask for by name. Each function says in one sentence what is missing and how to get it, or None."""


def missing(*needs: str) -> list[str]:
    """One sentence for each thing that is not there, with how to get it; without arguments, of all that exists."""
    sentences = [NEEDS[need]() for need in (needs or NEEDS)]
    return list(dict.fromkeys(sentence for sentence in sentences if sentence))
