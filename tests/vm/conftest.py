"""Has the tests of ``tests/vm/guest`` run in a guest. In the guest itself this stands back."""

from __future__ import annotations

import os

import pytest

from tests.lab import IN_GUEST


def pytest_configure(config: pytest.Config) -> None:
    if IN_GUEST not in os.environ:
        from tests.vm.runner import GuestRunner, GuestSummary

        config.pluginmanager.register(GuestRunner(), "guest-runner")
        config.pluginmanager.register(GuestSummary(), "guest-summary")
