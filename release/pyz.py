"""``uvirtio.pyz``: uvirtio and all that it needs in one file, which python3 runs: ``python -m release.pyz FILE``.

Every module is there as source, and as byte code of the Python that builds it, which another version of Python passes over.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from uvirtio.errors import CannotRun
from uvirtio_tools.image.bundle import Member, collect, compiled, licences

__all__ = ["main", "write"]

_SHEBANG = b"#!/usr/bin/env python3\n"

#: What any Python 3 understands, so that one that is too old says so.
_MAIN = b"""\
import sys

if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
    sys.stderr.write("uvirtio: CPython 3.11 or newer is needed, and this is %s %s\\n" % (sys.implementation.name, sys.version.split()[0]))
    sys.exit(3)
from uvirtio_tools.entry import main

sys.exit(main())
"""

#: The same input gives the same file: a zip knows no time before this one.
_TIME = (1980, 1, 1, 0, 0, 0)


def _members(tui: bool) -> Iterator[Member]:
    yield Member("__main__.py", _MAIN)
    for member in collect(tui=tui):
        if member.path.endswith(".py"):
            yield compiled(member)
        yield member
    yield from licences(tui=tui)


def write(path: Path, *, tui: bool = True) -> None:
    """Write the file, whole or not at all. Raises :class:`CannotRun` where a package that has to go in is not installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(making, "wb") as file:
            file.write(_SHEBANG)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for member in _members(tui):
                    entry = zipfile.ZipInfo(member.path, _TIME)
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, member.data, zipfile.ZIP_DEFLATED)
        making.chmod(0o755)
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)


def main(words: list[str]) -> int:
    """Write the file that is named, tell its size."""
    if len(words) != 1:
        print("usage: python -m release.pyz FILE", file=sys.stderr)
        return 2
    try:
        write(Path(words[0]))
    except CannotRun as error:
        print(f"release.pyz: {error}", file=sys.stderr)
        return 3
    print(f"{words[0]}: {Path(words[0]).stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
