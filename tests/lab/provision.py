"""Provides what the tests in QEMU and in a guest need, in the lab folder: ``python -m tests.lab.provision``.

A QEMU with vfio-user (unless the machine's own has it), a Debian kernel with its modules, virtme-ng, and a udevadm that
can verify rules. Quick when all is there already. Nothing is installed on the machine, and no root is needed.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import distro_qemu, lab_folder, missing, speaks_vfio_user
from uvirtio.errors import CannotRun
from uvirtio_tools.image.apt import open_room, own_mirrors, unpack
from uvirtio_tools.image.building import Recipe, fetch

__all__ = ["arm64_qemu", "main"]

_RECIPE = 2
"""Goes up when a step below changes what it makes, so that an older lab is made anew."""

_WRAPPER = """\
#!/bin/sh
# A QEMU of a newer release than this machine's, on its own C library, with its own firmware and modules.
root={root}
export QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu"
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --argv0 "$0" \\
    --library-path "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib" \\
    "$root/usr/bin/{name}" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
"""

_UDEVADM = """\
#!/bin/sh
# The udevadm of a newer release than this machine's, on its own C library: it can verify rules.
root={root}
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --argv0 udevadm \\
    --library-path "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/systemd:$root/usr/lib" \\
    "$root/usr/bin/udevadm" "$@"
"""


def _unpacked_qemu(folder: Path, name: str, *packages: str) -> Path:
    """trixie has QEMU 10.0, which lacks vfio-user; its backports have a newer one. The path of what starts it."""
    mirror = own_mirrors()[0]
    with open_room([mirror.at("trixie"), mirror.at("trixie-backports")]) as room:
        unpack(room.download(*packages, "seabios", "ipxe-qemu", release="trixie-backports"), folder / "root")
    wrapper = lab_folder() / "bin" / name
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(_WRAPPER.format(root=folder / "root", name=name), encoding="utf-8")
    wrapper.chmod(0o755)
    if not speaks_vfio_user(wrapper):
        raise CannotRun("the QEMU of trixie-backports does not start, or has no vfio-user-pci")
    return wrapper


def _qemu(folder: Path) -> str:
    wrapper = _unpacked_qemu(folder, "qemu-system-x86_64", "qemu-system-x86")
    shown = subprocess.run([wrapper, "--version"], capture_output=True, text=True, check=True).stdout
    return shown.splitlines()[0]


def arm64_qemu() -> Path:
    """A ``qemu-system-aarch64`` with vfio-user, fetched when it is asked for first: only `make guests` does."""
    folder = lab_folder() / "qemu-arm64"
    wrapper = lab_folder() / "bin" / "qemu-system-aarch64"
    if not wrapper.exists():
        _unpacked_qemu(folder, wrapper.name, "qemu-system-arm")
    return wrapper


def _kernel(folder: Path) -> str:
    with open_room(own_mirrors()) as room:
        package = room.dependency("linux-image-amd64", "linux-image-")
        unpack([room.download_alone(package)], folder / "root")
    release = package.removeprefix("linux-image-")
    depmod = shutil.which("depmod", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if depmod is None:
        raise CannotRun("no depmod: apt-get install kmod")
    subprocess.run([depmod, "-b", folder / "root", release], check=True)
    return f"Linux {release}"


def _image(folder: Path) -> str:
    """What an image is put together from, less uvirtio."""
    release = fetch(Recipe("x86_64"), folder)
    (folder / "release").write_text(release, encoding="utf-8")
    return f"Linux {release}, to boot from memory"


def _udevadm(folder: Path) -> str:
    """udevadm verifies rules since systemd 254; Debian 12 has 252."""
    mirror = own_mirrors()[0]
    with open_room([mirror.at("trixie")]) as room:
        unpack(room.download("udev"), folder / "root")
    wrapper = lab_folder() / "bin" / "udevadm"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(_UDEVADM.format(root=folder / "root"), encoding="utf-8")
    wrapper.chmod(0o755)
    shown = subprocess.run([wrapper, "--version"], capture_output=True, text=True, check=True).stdout
    return f"udevadm {shown.strip()}"


def _virtme_ng(folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    done = subprocess.run([*install, "virtme-ng>=1.36,<2"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"pip could not install virtme-ng:\n{done.stderr.strip()}")
    shown = subprocess.run([folder / "bin" / "vng", "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def _step(title: str, name: str, make: Callable[[Path], str]) -> None:
    """Makes one folder of the lab unless its stamp says that this recipe has made it, and prints one line."""
    folder = lab_folder() / name
    stamp = folder / "stamp.json"
    try:
        made = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        made = {}
    if made.get("recipe") == _RECIPE:
        print(f"lab: {title}: {made['what']}")
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    what = make(folder)
    stamp.write_text(json.dumps({"recipe": _RECIPE, "what": what}), encoding="utf-8")
    print(f"lab: {title}: {what} (made in {time.monotonic() - started:.0f} s)")


def main() -> int:
    """Provides everything; prints one line per step; 0 when nothing is missing afterwards, else 1."""
    lab_folder().mkdir(parents=True, exist_ok=True)
    with open(lab_folder() / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits, then finds everything made
        try:
            own = distro_qemu()
            if own is not None and speaks_vfio_user(own):
                print(f"lab: QEMU: the machine's own, {own}")
            else:
                _step("QEMU", "qemu", _qemu)
            _step("kernel", "kernel", _kernel)
            _step("virtme-ng", "virtme-ng", _virtme_ng)
            _step("udevadm", "udevadm", _udevadm)
            _step("image", "image", _image)
        except (CannotRun, subprocess.CalledProcessError, OSError) as error:
            print(f"lab: {error}", file=sys.stderr)
            return 1
    for sentence in missing():
        print(f"lab: {sentence}", file=sys.stderr)
    return 1 if missing() else 0


if __name__ == "__main__":
    sys.exit(main())
