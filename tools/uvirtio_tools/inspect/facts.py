"""What a fact about this machine is, and where facts come from: the kernel's files, its configuration, programs."""

from __future__ import annotations

import gzip
import subprocess
from dataclasses import dataclass
from pathlib import Path

from uvirtio.bus.uio.discovery import PciFunction, discover
from uvirtio.bus.uio.sysfs import Sysfs
from uvirtio.errors import UvirtioError
from uvirtio.programs import find

__all__ = ["Fact", "Machine", "ask", "kernel_option"]

#: Longest time that a program which is only asked for its version may take, in seconds.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Fact:
    """One line. ``state``: ``ok``, ``note`` (good to know), ``missing`` (in the way); ``advice``: what to type."""

    name: str
    state: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is examined: the kernel's files, where journals are, the kernel's release, whether this is root."""

    sysfs: Sysfs
    run: Path
    release: str
    root: bool

    def functions(self) -> list[PciFunction]:
        """The virtio functions, none where they cannot be listed."""
        try:
            return discover(self.sysfs)
        except (UvirtioError, OSError):
            return []


def ask(words: list[str]) -> str | None:
    """What a program says, None where it is not there or fails."""
    program = find(words[0], system=True)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def kernel_option(machine: Machine, name: str) -> str | None:
    """How an option of the kernel was set when it was built: ``y``, ``m``, ``n``; None where that is not told."""
    try:
        text = gzip.decompress((machine.sysfs.proc / "config.gz").read_bytes()).decode()
    except (OSError, EOFError):
        text = machine.sysfs.read(machine.sysfs.root / f"boot/config-{machine.release}")
    if not text:
        return None
    return next((line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")), "n")
