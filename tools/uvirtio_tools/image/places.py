"""Where images lie, and what is said about one beside it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

from uvirtio.errors import CannotRun, UsageError

__all__ = ["ARCHES", "Image", "arch_of", "folder_of", "load"]

#: uname's name of an architecture -> Debian's.
ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}

_STAMP = "image.json"
SCHEMA = "uvirtio/image"


def arch_of(word: str | None) -> str:
    """The architecture that a word means, this machine's without one. Raises :class:`UsageError` for any other."""
    name = word or platform.machine()
    arch = _ALIASES.get(name, name)
    if arch not in ARCHES:
        raise UsageError(f"there are no images for {name}; only for {', '.join(ARCHES)}")
    return arch


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built: the folder with its files, and what they are."""

    arch: str
    kernel: str
    """The kernel's release."""
    python: str
    uvirtio: str
    sizes: dict[str, int] = field(default_factory=dict)
    """File -> bytes: ``initramfs`` and the forms of the kernel."""
    folder: Path = Path()

    def file(self, name: str) -> Path:
        """The path of a form of the kernel, or of the initramfs. Raises :class:`CannotRun` for one that there is not."""
        if name not in self.sizes or not (self.folder / name).is_file():
            raise CannotRun(f"the image in {self.folder} has no {name}; it has {', '.join(self.sizes)}")
        return self.folder / name

    def save(self) -> None:
        """Write what is said about it; it is complete with that."""
        told = {name: value for name, value in asdict(self).items() if name != "folder"}
        (self.folder / _STAMP).write_text(json.dumps({"schema": SCHEMA, "version": 1, **told}, indent=2) + "\n")


def folder_of(arch: str) -> Path:
    """Where the image for an architecture lies when nobody says where: ``uvirtio/image/ARCH`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uvirtio" / "image" / arch


def load(folder: Path) -> Image:
    """An image. Raises :class:`CannotRun` where there is none, with what makes one."""
    try:
        told = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        if told.pop("schema") != SCHEMA or told.pop("version") != 1:
            raise ValueError
        return Image(folder=folder, **told)
    except FileNotFoundError:
        raise CannotRun(f"there is no image in {folder}: uvirtio image build") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(
            f"{folder / _STAMP} cannot be understood ({error}); build the image again: uvirtio image build"
        ) from None
