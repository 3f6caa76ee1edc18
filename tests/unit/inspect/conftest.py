"""The inspector's tests look the same on every machine."""

from __future__ import annotations

import pytest

from uvirtio_tools.inspect import pciids


@pytest.fixture(autouse=True)
def names_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices are called by the specification's names, whether pci.ids is installed or not."""
    monkeypatch.setattr(pciids, "PATHS", ())
