"""The modules that uvirtio consists of, and those of other people that it needs: collected from where this process imports.

A checkout, an installation and a :file:`uvirtio.pyz` can all be collected from.
"""

from __future__ import annotations

import importlib._bootstrap_external as importing
import importlib.util
import os
import re
import zipfile
import zipimport
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from uvirtio.errors import CannotRun

__all__ = ["OWN", "PACKAGES", "TUI", "Member", "collect", "compiled", "licences"]

OWN = ("uvirtio", "uvirtio_drivers", "uvirtio_tools")

#: module -> the distribution that brings it.
PACKAGES = {
    "rich": "rich",
    "markdown_it": "markdown-it-py",
    "mdurl": "mdurl",
    "pygments": "Pygments",
    "rich_argparse": "rich-argparse",
    "pyudev": "pyudev",
    "periphery": "python-periphery",
}
#: Those that the interactive interface alone needs.
TUI = {
    "textual": "textual",
    "mdit_py_plugins": "mdit-py-plugins",
    "linkify_it": "linkify-it-py",
    "uc_micro": "uc-micro-py",
    "platformdirs": "platformdirs",
    "typing_extensions": "typing_extensions",
}
#: What works without.
_OPTIONAL = frozenset({"rich_argparse", "linkify_it", "uc_micro", "mdit_py_plugins"})

#: 9 MB of languages, none of which is ever shown, and what is not for running.
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|tests?)/|\.(pyc|pyi|so|scm)$"
    r"|^pygments/lexers/(?!__init__|_mapping|python|special|_builtins)"
    r"|^textual/tree-sitter/"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a package: its path below an entry of ``sys.path``, and what it holds."""

    path: str
    data: bytes


def collect(*, tui: bool) -> Iterator[Member]:
    """Every file of uvirtio's packages and of those that they need, ``tui``: also of those of the interactive interface.

    Raises :class:`CannotRun` for a package that is not installed here.
    """
    for name in OWN:
        yield from _files(name)
    for name, package in {**PACKAGES, **(TUI if tui else {})}.items():
        if importlib.util.find_spec(name) is not None:
            yield from _files(name)
        elif name not in _OPTIONAL:
            raise CannotRun(
                f"the Python package {package} is not installed here, and it has to go in: pip install {package}"
            )


def licences(*, tui: bool) -> Iterator[Member]:
    """The licences of other people's packages, as far as their installations bring them."""
    for package in {**PACKAGES, **(TUI if tui else {})}.values():
        try:
            files = distribution(package).files or []
        except PackageNotFoundError:
            continue
        for file in files:
            if re.search(r"(^|/)(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", str(file)) and "-info/" in str(file):
                yield Member(f"licences/{package}/{file.name}", file.read_binary())


def compiled(member: Member) -> Member:
    """The same module as byte code of this interpreter, to lie beside its source or in its place.

    It is never held against a source: what a zip says of times is coarse, and an image has no sources.
    """
    # The path that tracebacks show is the same wherever this was built, and so is the file.
    code = compile(member.data, member.path, "exec", dont_inherit=True)
    data: bytes = importing._code_to_hash_pyc(code, importlib.util.source_hash(member.data), False)  # type: ignore[attr-defined]
    return Member(f"{member.path}c", data)


def _files(name: str) -> Iterator[Member]:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotRun(f"the module {name} cannot be found where this Python imports from")
    if isinstance(spec.loader, zipimport.zipimporter):
        yield from _packed(name, spec.loader)
    elif not spec.submodule_search_locations:
        yield Member(f"{name}.py", Path(spec.origin).read_bytes())
    else:
        folder = Path(spec.origin).parent
        for path in sorted(folder.rglob("*")):
            inside = f"{name}/{path.relative_to(folder)}"
            if path.is_file() and not _LEFT_OUT.search(inside):
                yield Member(inside, path.read_bytes())


def _packed(name: str, loader: zipimport.zipimporter) -> Iterator[Member]:
    prefix = loader.prefix.replace(os.sep, "/")
    with zipfile.ZipFile(loader.archive) as archive:
        for each in sorted(archive.namelist()):
            inside = each.removeprefix(prefix)
            if inside.startswith((f"{name}/", f"{name}.py")) and not _LEFT_OUT.search(inside):
                yield Member(inside, archive.read(each))
