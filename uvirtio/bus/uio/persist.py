"""Binding a function at every boot: a udev rule of its own, written and removed on request.

udev rather than ``new_id``: the rule names one slot and the device that was in it, so a device that another day's
configuration puts there is left alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from ...errors import CannotRun
from ...programs import find
from .discovery import PciFunction
from .sysfs import UIO_DRIVER, Sysfs, explain

__all__ = ["forget", "persist", "persistent", "rule"]

_PREFIX, _SUFFIX = "61-uvirtio-bind-", ".rules"


def rule(function: PciFunction, driver: str = UIO_DRIVER) -> str:
    """The udev rule that gives this function to ``driver`` whenever it appears, unless it is there already."""
    where = "/sys/bus/pci/devices/%k"
    script = (
        f"modprobe {driver}; if [ -e {where}/driver ]; then echo %k > {where}/driver/unbind; fi; "
        "echo %k > /sys/bus/pci/drivers_probe"
    )
    return (
        f"# {function.address} is taken for {driver} at boot (uvirtio bind --persist).\n"
        f"# uvirtio restore {function.address} removes this file.\n"
        f'ACTION=="add", SUBSYSTEM=="pci", KERNEL=="{function.address}", DRIVER!="{driver}", '
        f'ATTR{{vendor}}=="{function.identity.vendor:#06x}", ATTR{{device}}=="{function.identity.device:#06x}", '
        f'ATTR{{driver_override}}="{driver}", RUN+="/bin/sh -c \'{script}\'"\n'
    )


def _directory(sysfs: Sysfs) -> Path:
    return sysfs.root / "etc/udev/rules.d"


def _path(sysfs: Sysfs, bdf: str) -> Path:
    return _directory(sysfs) / f"{_PREFIX}{bdf}{_SUFFIX}"


def persist(sysfs: Sysfs, function: PciFunction, driver: str = UIO_DRIVER) -> Path:
    """Write the rule; returns its path. Raises :class:`CannotRun` where that is not possible."""
    path, text = _path(sysfs, function.address), rule(function, driver)
    if sysfs.dry_run:
        sysfs.note(f"cat > {path} <<'EOF'\n{text}EOF")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, path)
    except OSError as error:
        raise explain(error, f"writing {path}") from error
    _reload(sysfs)
    return path


def forget(sysfs: Sysfs, bdf: str) -> bool:
    """Remove the rule of a function; whether there was one. Raises :class:`CannotRun`."""
    path = _path(sysfs, bdf)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CannotRun(
            f"{path} cannot be removed ({error.strerror}): {bdf} is taken again at the next boot"
        ) from error
    _reload(sysfs)
    return True


def persistent(sysfs: Sysfs) -> list[str]:
    """The functions that have a rule."""
    return [
        name[len(_PREFIX) : -len(_SUFFIX)]
        for name in sysfs.names(_directory(sysfs))
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    ]


def _reload(sysfs: Sysfs) -> None:
    """Have udev read its rules again. Where it does not run, it reads them when it starts."""
    if sysfs.root == Path("/") and (program := find("udevadm", system=True)) is not None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([program, "control", "--reload"], capture_output=True, timeout=10, check=False)
