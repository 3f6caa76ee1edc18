"""Building an image: Debian's packages through this machine's own mirrors, unpacked and put together. No root is needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uvirtio import __version__
from uvirtio.errors import CannotRun

from .apt import open_room, own_mirrors, unpack
from .bundle import collect
from .cpio import archive
from .kernels import forms, modules, part_of, zstd
from .places import ARCHES, Image
from .system import PACKAGES, Files, base, python_of, with_python

__all__ = ["FLAVOURS", "Recipe", "assemble", "build", "fetch"]

#: flavour -> what Debian's metapackage has in its name.
FLAVOURS = {"cloud": "cloud-", "generic": ""}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build: ``suite`` is where the kernel comes from, empty for this machine's release."""

    arch: str
    flavour: str = "cloud"
    suite: str = ""
    tui: bool = True
    level: int = 19
    """How hard zstd tries."""
    every_form: bool = True
    """Whether the kernel is there in every form, or in the one that QEMU takes."""


def fetch(recipe: Recipe, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> str:
    """Fetch and unpack what does not change with uvirtio: ``folder/kernel`` and ``folder/system``; the kernel's release."""
    mirrors = own_mirrors()
    sources = mirrors
    if recipe.suite:
        # A backport lies beside its release, which its dependencies are looked up in.
        release = recipe.suite.removesuffix("-backports")
        sources = [mirrors[0].at(suite) for suite in dict.fromkeys((release, recipe.suite))]
    debian = ARCHES[recipe.arch]
    tell("fetching the kernel")
    with open_room(sources, debian) as room:
        package = room.dependency(
            f"linux-image-{FLAVOURS[recipe.flavour]}{debian}", "linux-image-", release=recipe.suite
        )
        release = package.removeprefix("linux-image-").removesuffix("-unsigned")
        # Since 7.x the kernel and its modules are packages of their own.
        rest = [
            name for name in room.dependencies(package) if name.startswith("linux-") and name.endswith(f"-{release}")
        ]
        unpack([room.download_alone(name) for name in (package, *rest)], folder / "kernel")
    tell(f"fetching Python and a shell, to go with Linux {release}")
    with open_room(mirrors, debian) as room:
        unpack(room.download(*PACKAGES), folder / "system")
    return release


def assemble(recipe: Recipe, release: str, fetched: Path, folder: Path) -> Image:
    """Put an image together from what was fetched, with uvirtio as this process imports it."""
    kernel, system = fetched / "kernel", fetched / "system"
    files: Files = base(system, recipe.arch) | with_python(system, collect(tui=recipe.tui))
    files |= {f"usr/{path}": (0o100644, data) for path, data in modules(kernel, release).items()}
    if config := part_of(kernel, release, "config"):
        files[f"boot/config-{release}"] = (0o100644, config.read_bytes())
    image = part_of(kernel, release, "vmlinuz")
    if image is None:
        raise CannotRun(f"the packages of Linux {release} have no kernel in them")
    parts = forms(recipe.arch, image.read_bytes(), every=recipe.every_form)
    parts["initramfs"] = zstd(archive(files), f"-{recipe.level}", "-T0")
    python = ".".join(map(str, python_of(system)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image.json").unlink(missing_ok=True)  # until it is whole
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    sizes = {name: len(data) for name, data in parts.items()}
    made = Image(recipe.arch, release, python, __version__, sizes, folder)
    made.save()
    return made


def build(recipe: Recipe, folder: Path, tell: Callable[[str], None] = lambda _line: None) -> Image:
    """Build an image into a folder. Raises :class:`CannotRun` where something for it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="uvirtio-image-") as fetched:
        release = fetch(recipe, Path(fetched), tell)
        tell("putting the image together")
        return assemble(recipe, release, Path(fetched), folder)
