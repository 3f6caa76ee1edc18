"""The histories, by chapter as the statements are. Importing this fills the table."""

from __future__ import annotations

from ..table import CASES
from . import (
    asleep,
    basic,
    configuration,
    drafts,
    draining,
    driver,
    endings,
    initial,
    notifications,
    pci,
    queues,
    transitions,
    unsaid,
    whole,
)

__all__ = [
    "CASES", "asleep", "basic", "configuration", "drafts", "draining", "driver", "endings", "initial", "notifications", "pci", "queues", "transitions", "unsaid", "whole",
]  # fmt: skip
