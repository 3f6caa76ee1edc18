"""Has one module imported in its changed form, from memory; everything else is imported as always."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType

from .changes import ROOT, Mutant, changed

__all__ = ["install"]


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """See the base: never from a file."""
        return self._code


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self.name = mutant.module
        path = str(ROOT / mutant.file)
        self._path = path
        self._loader = _Loader(self.name, path, compile(changed(mutant), path, "exec"))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See the base."""
        return spec_from_file_location(fullname, self._path, loader=self._loader) if fullname == self.name else None


def install(mutant: Mutant) -> None:
    """From now on the module is the changed one. Raises RuntimeError where it has been imported already."""
    if mutant.module in sys.modules:
        raise RuntimeError(f"{mutant.module} has been imported before it was changed")
    sys.meta_path.insert(0, _Finder(mutant))
